/* The note's two buttons. Without this file the note can be selected and copied by hand. */
"use strict";
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-print]");
  if (!button) return;
  if (button.hasAttribute("data-print")) {
    window.print();
    return;
  }
  const note = document.getElementById(button.dataset.copy);
  const said = document.getElementById(button.dataset.copy + "-copied");
  note.focus();
  note.select();
  let copied = false;
  try {
    await navigator.clipboard.writeText(note.value);
    copied = true;
  } catch {
    copied = document.execCommand("copy"); // a frame may have no right to the clipboard
  }
  said.textContent = copied ? "Copied." : "Press Ctrl and C to copy the selected note.";
});
