"""What mkdocs calls: the pages made from data are added to those written by hand."""

from __future__ import annotations

from datetime import date

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from billing_rules import catalogue as catalogue_module
from handbook.pages import pages


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The generated pages beside docs/; a page of the same name in docs/ would be an error."""
    made = pages(catalogue_module.load(), date.today())
    for path, markdown in made.items():
        assert files.get_file_from_path(path) is None, f"docs/{path} is also generated: rename it"
        files.append(File.generated(config, path, content=markdown))
    return files
