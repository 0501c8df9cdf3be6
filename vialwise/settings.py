"""Every setting of `vialwise serve`, in one typed place.

A setting comes from the command line, the environment, the file or its default, the first of these
that has it. settings_reading.py reads them, settings_checks.py says what does not go together, and
docs/settings.md lists them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from cds_hooks.trusted_clients import LONGEST_LIFE

PREFIX = "VIALWISE_"
# Secrets never stand in the file, and are never printed.
ENVIRONMENT_ONLY = frozenset({"record_secret", "operator_secret", "window_secrets"})
SECRET = ENVIRONMENT_ONLY
FILE_ONLY = frozenset({"clients", "links", "ehrs", "quiet"})  # they are tables
# relative to the file they stand in
PATHS = frozenset(
    {
        "site",
        "record_secret_file",
        "operator_secret_file",
        "jwks_file",
        "client_secret_file",
        "app_keys_file",
        "window_secrets_file",
    }
)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class ClientTable(msgspec.Struct, frozen=True, kw_only=True):
    """A [[clients]] table: an EHR that may call, or one tenant of it."""

    iss: Annotated[
        str,
        Meta(
            description="The issuer its tokens name, letter by letter.",
            examples=["https://ehr.example/r4"],
        ),
    ]
    jku: Annotated[
        str,
        Meta(
            description="The https address of its public keys.",
            examples=["https://ehr.example/jwks.json"],
        ),
    ] = ""
    jwks_file: Annotated[
        str,
        Meta(
            description="Or a file with its public keys (a JWKS), when they were handed over.",
            examples=["ehr-jwks.json"],
        ),
    ] = ""
    fhir_base: Annotated[
        str,
        Meta(
            description="Its FHIR server, the only one its requests may point to. Without it "
            "nothing is fetched for its requests.",
            examples=["https://ehr.example/r4"],
        ),
    ] = ""
    tenant: Annotated[
        str,
        Meta(
            description="The tenant its tokens name, for an issuer that stands for several.",
            examples=["clinic-7"],
        ),
    ] = ""
    audiences: Annotated[
        tuple[str, ...],
        Meta(
            description="What `aud` may be besides the address that is called, where the EHR "
            "has something else typed in.",
            examples=[["vialwise"]],
        ),
    ] = ()
    algorithms: Annotated[
        tuple[str, ...],
        Meta(
            description="What it may sign with: ES384, RS384, ES256, RS256.",
            examples=[["RS384"]],
        ),
    ] = ("ES384", "RS384")
    subject: Annotated[
        str,
        Meta(
            description="Our client id at that EHR; a lent access token has to name it.",
            examples=["vialwise-at-ehr"],
        ),
    ] = ""
    longest_life: Annotated[
        int,
        Meta(
            description="Seconds from issue to expiry that its tokens may have.",
            examples=[900],
            ge=1,
            le=LONGEST_LIFE,
        ),
    ] = LONGEST_LIFE
    calls_per_minute: Annotated[
        int,
        Meta(
            description="How often it may call, in each worker process (there are two).",
            examples=[600],
            ge=1,
            le=1_000_000,
        ),
    ] = 600

    app_link: Annotated[
        bool,
        Meta(
            description="Whether its cards link to the app; not where the EHR takes such links "
            "off or does not hand on their context.",
            examples=[False],
        ),
    ] = True
    silent_tracking: Annotated[
        bool,
        Meta(
            description="It is sent cards and shows none of them, as in athenahealth's roll-out "
            "of that name: they are counted as kept and not shown.",
            examples=[True],
        ),
    ] = False


class QuietTable(msgspec.Struct, frozen=True, kw_only=True):
    """A [[quiet]] table: what is evaluated and kept, and not shown."""

    rule: Annotated[
        str,
        Meta(description="The rule's id. Otherwise all rules.", examples=["dose_interval"]),
    ] = ""
    client: Annotated[
        str,
        Meta(
            description="The `iss` of a client. Otherwise all clients.",
            examples=["https://ehr.example/r4"],
        ),
    ] = ""
    tenant: Annotated[
        str, Meta(description="A tenant. Otherwise all tenants.", examples=["clinic-7"])
    ] = ""
    shadow: Annotated[bool, Meta(description="Shadow mode: at all times.", examples=[True])] = False
    days: Annotated[
        tuple[str, ...],
        Meta(
            description="Quiet hours: on these days of the week, of mon, tue, wed, thu, fri, sat "
            "and sun; hours over midnight belong to the day they begin on. Otherwise every day.",
            examples=[["sat", "sun"]],
        ),
    ] = ()
    start: Annotated[
        str,
        Meta(
            description="The time they begin, in the clinic's time zone. Otherwise the whole day.",
            examples=["22:00"],
        ),
    ] = ""
    end: Annotated[
        str,
        Meta(
            description="The time they end; before `start` it is on the day after.",
            examples=["06:30"],
        ),
    ] = ""


class LinkTable(msgspec.Struct, frozen=True, kw_only=True):
    """A [[links]] table: a link that every card carries."""

    label: Annotated[str, Meta(description="Its text.", examples=["Billing guide"], min_length=1)]
    url: Annotated[
        str, Meta(description="Its https address.", examples=["https://clinic.example/billing"])
    ]


class EhrTable(msgspec.Struct, frozen=True, kw_only=True):
    """An [[ehrs]] table: an EHR whose users may open the app."""

    id: Annotated[
        str,
        Meta(
            description="A short name of your own for it, in addresses and in the log.",
            examples=["main-hospital"],
        ),
    ]
    name: Annotated[
        str,
        Meta(
            description="Its name on pages.",
            examples=["Main Hospital (Epic)"],
            min_length=1,
            max_length=80,
        ),
    ]
    fhir_base: Annotated[
        str,
        Meta(
            description="Its FHIR R4 address, letter by letter as its launches name it in `iss`.",
            examples=["https://ehr.example/api/FHIR/R4"],
        ),
    ]
    client_id: Annotated[
        str,
        Meta(
            description="The app's client id at that EHR.",
            examples=["5d1c0b1e-vialwise"],
            min_length=1,
            max_length=200,
        ),
    ]
    client: Annotated[
        Literal["public", "client_secret_basic", "private_key_jwt"],
        Meta(
            description="As what the app is registered there: public, client_secret_basic or "
            "private_key_jwt.",
            examples=["private_key_jwt"],
        ),
    ] = "public"
    algorithm: Annotated[
        Literal["RS384", "ES384"],
        Meta(
            description="With private_key_jwt, what the app signs with: RS384 or ES384.",
            examples=["ES384"],
        ),
    ] = "RS384"
    client_secret_file: Annotated[
        str,
        Meta(
            description="With client_secret_basic, a file with the secret that its user alone may "
            "read.",
            examples=["/etc/vialwise/main-hospital-secret"],
        ),
    ] = ""
    authorization_hosts: Annotated[
        tuple[str, ...],
        Meta(
            description="Hosts besides that of fhir_base that its sign-in addresses may lie on.",
            examples=[["authorization.ehr.example"]],
        ),
    ] = ()
    frame_ancestors: Annotated[
        tuple[str, ...],
        Meta(
            description="Origins that may show the app in a frame.",
            examples=[["https://ehr.example"]],
        ),
    ] = ()
    scopes: Annotated[
        tuple[str, ...],
        Meta(
            description="The scopes on data to ask for. Otherwise what the app reads, of what the "
            "EHR offers.",
            examples=[["patient/Patient.r", "patient/MedicationRequest.rs"]],
        ),
    ] = ()
    writes: Annotated[
        tuple[str, ...],
        Meta(
            description="The types the app may ask to write. Otherwise it writes nothing, and "
            "gives notes to paste.",
            examples=[["QuestionnaireResponse", "DocumentReference"]],
        ),
    ] = ()
    owners: Annotated[
        tuple[str, ...],
        Meta(
            description="The users who see the feedback dashboard, as the EHR names them in "
            "fhirUser.",
            examples=[["Practitioner/123"]],
        ),
    ] = ()


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of `vialwise serve`. What is "" or empty is not set."""

    host: Annotated[
        str, Meta(description="The address to listen on.", examples=["0.0.0.0"], min_length=1)
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Meta(description="Port to listen on; 0 takes a free one.", examples=[8417], ge=0, le=65535),
    ] = 8417
    public_url: Annotated[
        str,
        Meta(
            description="The address EHRs reach the service under; their tokens name it. "
            "Otherwise the address listened on.",
            examples=["https://cds.clinic.example"],
        ),
    ] = ""
    trusted_proxies: Annotated[
        int,
        Meta(
            description="How many proxies of your own stand in front, one behind another. Only "
            "they are believed who called and whether over TLS (X-Forwarded-For and -Proto, as "
            "many entries from the end); with 0 nobody is.",
            examples=[1],
            ge=0,
            le=10,
        ),
    ] = 0
    clients: Annotated[
        tuple[ClientTable, ...],
        Meta(description="The EHRs that may call, a [[clients]] table each: see below."),
    ] = ()
    development: Annotated[
        bool,
        Meta(
            description="Lets the public CDS Hooks Sandbox be a client, and keys be fetched from "
            "this machine without https. Never with real patients.",
            examples=[True],
        ),
    ] = False
    site: Annotated[
        str,
        Meta(
            description="The clinic's own file: stock, prices, values of its own.",
            examples=["clinic.yaml"],
        ),
    ] = ""
    timezone: Annotated[
        str,
        Meta(description="The clinic's. Otherwise this machine's.", examples=["America/New_York"]),
    ] = ""
    billing_plan: Annotated[
        bool,
        Meta(
            description="Whether a clean order gets an info card with its claim lines.",
            examples=[True],
        ),
    ] = False
    most_cards: Annotated[
        int,
        Meta(
            description="Cards of one answer, the most urgent first; the last says how many more "
            "there are.",
            examples=[10],
            ge=1,
            le=100,
        ),
    ] = 10
    documentation_at_select: Annotated[
        bool,
        Meta(
            description="Whether missing documentation is named already when an order is "
            "selected, as information; when it is signed it always is.",
            examples=[False],
        ),
    ] = True
    quiet: Annotated[
        tuple[QuietTable, ...],
        Meta(
            description="Shadow mode and quiet hours: what is kept and not shown, a [[quiet]] "
            "table each: see below."
        ),
    ] = ()
    links: Annotated[
        tuple[LinkTable, ...],
        Meta(description="Links that every card carries, a [[links]] table each: see below."),
    ] = ()
    link_hosts: Annotated[
        tuple[str, ...],
        Meta(
            description="The hosts that cards may link to, as the EHR has them on its list; other "
            "links are left out. Otherwise all hosts.",
            examples=[["cds.clinic.example", "www.cms.gov"]],
        ),
    ] = ()
    app_launch_url: Annotated[
        str,
        Meta(
            description="The launch address of the SMART app as it is registered at the EHR; "
            "cards link to it. Otherwise the one below public_url, where there are [[ehrs]].",
            examples=["https://app.clinic.example/launch"],
        ),
    ] = ""
    source_label: Annotated[
        str,
        Meta(
            description="Who stands behind a card that no rule's own record does.",
            examples=["Clinic billing"],
            min_length=1,
        ),
    ] = "Vialwise"
    source_url: Annotated[
        str,
        Meta(
            description="Where to read about them. Otherwise the public address.",
            examples=["https://clinic.example/billing"],
        ),
    ] = ""
    quiet_days: Annotated[
        int,
        Meta(
            description="Days that an overridden finding is not repeated for the same patient "
            "and order; 0 repeats it always.",
            examples=[30],
            ge=0,
            le=3650,
        ),
    ] = 30
    keep_comments: Annotated[
        bool,
        Meta(
            description="Whether the free text of feedback is kept; it may name a patient.",
            examples=[True],
        ),
    ] = False
    keep_days: Annotated[
        int,
        Meta(
            description="Days that cards and their feedback are kept; older ones are deleted once "
            "a day. 0 keeps them for good.",
            examples=[400],
            ge=0,
            le=36_500,
        ),
    ] = 0
    keep_audit_days: Annotated[
        int,
        Meta(
            description="Days that the audit of calls is kept; 0 keeps it for good.",
            examples=[2200],
            ge=0,
            le=36_500,
        ),
    ] = 0
    given_days: Annotated[
        int,
        Meta(
            description="How many days patient-view looks back for doses given, today included.",
            examples=[3],
            ge=1,
            le=366,
        ),
    ] = 3
    fetch_seconds: Annotated[
        float,
        Meta(
            description="Seconds for all that is fetched from the EHR for one request.",
            examples=[2.0],
            gt=0,
            le=5,
        ),
    ] = 2.0
    fetch_pages: Annotated[
        int, Meta(description="Pages that are read of one search.", examples=[5], ge=1, le=100)
    ] = 5
    fhir_bases: Annotated[
        tuple[str, ...],
        Meta(
            description="FHIR servers that callers may name with --open, besides those of this "
            "machine. A registered client has its own.",
            examples=[["https://r4.sandbox.example/fhir"]],
        ),
    ] = ()
    cors_origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Browser origins that may call.",
            examples=[["https://sandbox.clinic.example"]],
        ),
    ] = ()
    max_body_bytes: Annotated[
        int,
        Meta(
            description="Bytes of a request body; a larger one is answered 413.",
            examples=[5_242_880],
            ge=65_536,
            le=104_857_600,
        ),
    ] = 5 * 1024 * 1024
    max_json_depth: Annotated[
        int,
        Meta(
            description="How deeply the JSON of a request may be nested.",
            examples=[64],
            ge=16,
            le=256,
        ),
    ] = 64
    database: Annotated[
        str,
        Meta(
            description="Where calls, cards and feedback are kept: a file for SQLite, or a "
            "postgresql:// address. Otherwise a file of this user.",
            examples=["postgresql://vialwise@db.example/vialwise"],
        ),
    ] = ""
    record_secret_file: Annotated[
        str,
        Meta(
            description="A file with the secret of the record's hashes, 32 characters or more, "
            "that its user alone may read. With SQLite one is made beside the database.",
            examples=["/etc/vialwise/record-secret"],
        ),
    ] = ""
    record_secret: Annotated[
        str, Meta(description="The same secret itself, for where there are no files.")
    ] = ""
    operator_secret_file: Annotated[
        str,
        Meta(
            description="A file with the secret, 32 characters or more, that opens /feedback, "
            "/metrics and the details of /readyz to those who run the service. Without one there "
            "is no /feedback, and the others are open.",
            examples=["/etc/vialwise/operator-secret"],
        ),
    ] = ""
    operator_secret: Annotated[
        str, Meta(description="The same secret itself, for where there are no files.")
    ] = ""

    ehrs: Annotated[
        tuple[EhrTable, ...],
        Meta(
            description="The EHRs whose users may open the SMART app, an [[ehrs]] table each: see "
            "below. Without one there is no app."
        ),
    ] = ()
    app_keys_file: Annotated[
        str,
        Meta(
            description="A JWKS with the app's private keys, for EHRs with private_key_jwt; "
            "`vialwise app-keys` makes it.",
            examples=["/etc/vialwise/app-keys.json"],
        ),
    ] = ""
    window_secrets_file: Annotated[
        str,
        Meta(
            description="A file with the secrets that encrypt what is kept of the app's windows, "
            "one a line, 32 characters or more, the newest first. With SQLite one is made beside "
            "the database.",
            examples=["/etc/vialwise/window-secrets"],
        ),
    ] = ""
    window_secrets: Annotated[
        str, Meta(description="The same secrets themselves, separated by spaces.")
    ] = ""
    session_minutes: Annotated[
        int,
        Meta(
            description="Minutes after which a window of the app ends, whatever is done in it.",
            examples=[480],
            ge=5,
            le=1440,
        ),
    ] = 480
    idle_minutes: Annotated[
        int,
        Meta(
            description="Minutes after which a window of the app ends when nothing is done in it.",
            examples=[30],
            ge=2,
            le=240,
        ),
    ] = 30
    keep_forms_days: Annotated[
        int,
        Meta(
            description="Days that what was typed into the app's forms and not saved is kept, and "
            "what became of a form that was; encrypted, for the same user.",
            examples=[7],
            ge=1,
            le=90,
        ),
    ] = 7
    launches_per_minute: Annotated[
        int,
        Meta(
            description="How many launches of the app one address may begin a minute, in each "
            "worker process (there are two). Behind a proxy, trusted_proxies has to be set: "
            "otherwise all callers have the proxy's address.",
            examples=[120],
            ge=1,
            le=1_000_000,
        ),
    ] = 120


Table = (
    type[ServeSettings] | type[ClientTable] | type[LinkTable] | type[EhrTable] | type[QuietTable]
)


def names(table: Table) -> tuple[str, ...]:
    return table.__struct_fields__


def default(table: Table, name: str) -> Any:
    """The default of a setting; msgspec.NODEFAULT where it must be given."""
    field = next(f for f in msgspec.structs.fields(table) if f.name == name)
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def meta(table: Table, name: str) -> Meta:
    """What is said of a setting: its meaning, an example, its bounds."""
    found = type_of(table, name).__metadata__[0]
    assert isinstance(found, Meta)
    return found


def type_of(table: Table, name: str) -> Any:
    """The type with its bounds, as msgspec converts to it."""
    return next(f for f in msgspec.structs.fields(table) if f.name == name).type


def variable(name: str) -> str:
    """The environment's name of a setting."""
    return PREFIX + name.upper()


def in_environment(name: str) -> bool:
    return name not in FILE_ONLY
