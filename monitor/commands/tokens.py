"""`sitewatch tokens`: what programs may do here, and until when."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from monitor.commands import JsonFlag, instant_words, opened, parse_duration, print_json, print_table, say
from monitor.config.clock import utc_now
from monitor.errors import InputError

tokens_app = typer.Typer(no_args_is_help=True, help="Give programs tokens, list and revoke them.")
_LONGEST_NAME = 80


@tokens_app.command("add")
def add_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is, as in yard-detector.")],
    *,
    scope: Annotated[
        str,
        typer.Option(metavar="SCOPE", help="read; write (counts, acknowledging, silences); admin (sites)."),
    ] = "read",
    length: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long it holds: 12h, 30d or 52w.")
    ] = "52w",
    as_json: JsonFlag = False,
) -> None:
    """Make a token for a program. It is shown this once; what is kept is a hash.

    Programs send it as the header “Authorization: Bearer TOKEN”.
    """
    from db.engine import writing
    from db.tokens import TOKEN_SCOPES, issue_token, named_tokens

    now = utc_now()
    known = next((each for each in TOKEN_SCOPES if each == scope), None)
    if known is None:
        raise InputError(f"{scope!r} is not a scope. Use {', '.join(TOKEN_SCOPES)}.")
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InputError(f"Give it a name of 1 to {_LONGEST_NAME} letters, by which you will know it later.")
    ends = now + parse_duration(length)
    with opened(fresh=True) as app, writing(app.engine) as connection:
        if any(each.name == name and each.is_in_force(now) for each in named_tokens(connection)):
            raise InputError(f"There is a token {name!r} in force. Revoke it first, or choose another name.")
        text = issue_token(connection, name, known, now, ends)
    if as_json:
        print_json({"name": name, "scope": scope, "expires_at": ends, "token": text})
        return
    say(text)
    typer.echo(
        f"Token {name!r} may {_MAY[known]} until {instant_words(ends)}. Keep it: it is not shown again.",
        err=True,
    )


_MAY = {
    "read": "read",
    "write": "read, bring in counts, acknowledge and silence",
    "admin": "do all that the API can, adding sites included,",
}


@tokens_app.command("list")
def list_tokens(*, as_json: JsonFlag = False) -> None:
    """List the tokens, with what each may do, until when, and when it was last used."""
    from db.engine import reading
    from db.tokens import named_tokens

    now = utc_now()
    with opened() as app, reading(app.engine) as connection:
        found = named_tokens(connection)
    if as_json:
        items: list[dict[str, Any]] = [{**asdict(each), "in_force": each.is_in_force(now)} for each in found]
        print_json({"items": items})
    elif not found:
        say("No tokens yet. “sitewatch tokens add NAME --scope write” makes one.")
    else:
        print_table(
            ("name", "begins with", "scope", "made", "until", "last used"),
            (
                (
                    each.name,
                    f"sw_{each.prefix}",
                    each.scope,
                    instant_words(each.created_at),
                    "revoked"
                    if each.revoked_at
                    else instant_words(each.expires_at)
                    if each.expires_at
                    else "",
                    instant_words(each.last_used_at) if each.last_used_at else "never",
                )
                for each in found
            ),
        )


@tokens_app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, or the eight letters behind sw_.")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Revoke a token: it opens nothing from now on."""
    from db.engine import writing
    from db.tokens import named_tokens, revoke_token
    from monitor.sites.faults import word_advice

    with opened() as app, writing(app.engine) as connection:
        ended = revoke_token(connection, name.removeprefix("sw_"), utc_now())
        names = [each.name for each in named_tokens(connection)]
    if not ended:
        raise InputError(f"No token in force is called {name!r}. {word_advice(name, names)}")
    if as_json:
        print_json({"revoked": ended})
    else:
        say(f"Revoked: {name} opens nothing from now on.")
