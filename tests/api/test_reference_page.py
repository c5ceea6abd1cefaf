"""``/docs`` in a real browser: found, opened, tried, at 400 pixels and by keyboard, within its policy."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import httpx
import pytest

from tests.api.browser import PROGRAM, Page, browser
from tests.support.gateway_process import GatewayProcess, Organization

in_browser = pytest.mark.skipif(PROGRAM is None, reason="Chromium is missing: apt install chromium")
SHOWN = "[...document.querySelectorAll('{}')].filter((one) => one.checkVisibility()).length"
READY = "document.documentElement.classList.contains('ready')"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture
def page(chromium: Page, gateway: GatewayProcess) -> Iterator[Page]:
    chromium.open("about:blank")
    chromium.size(1280)
    chromium.open(f"{gateway.base_url}/docs")
    chromium.wait(READY)
    chromium.ask("sessionStorage.clear(); localStorage.clear()")
    yield chromium
    assert chromium.problems == []


def opened(page: Page, operation: str) -> str:
    """Open an operation with its form; answers the start of a script about it."""
    page.ask(f"location.hash = '{operation}'")
    box = f"document.getElementById('{operation}')"
    page.wait(f"{box}.querySelector('.attempt')")
    page.ask(f"{box}.querySelector('.attempt').open = true")
    page.wait(f"{box}.querySelector('.try')")
    return box


def write(page: Page, field: str, text: str) -> None:
    """Write into a field as a person does."""
    page.ask(f"{field}.focus()")
    page.ask(f"{field}.select()")
    page.type(text)


def test_what_is_served_is_ours_and_strict(gateway: GatewayProcess) -> None:
    with httpx.Client(base_url=gateway.base_url, trust_env=False) as http:
        answer = http.get("/docs")
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert "<script>" not in answer.text
        assert "style=" not in answer.text
        for name, kind in (
            ("docs.js", "text/javascript"),
            ("docs.css", "text/css"),
            ("icon.svg", "image/svg+xml"),
        ):
            file = http.get(f"/docs/{name}")
            assert file.status_code == 200
            assert file.headers["content-type"].startswith(kind)
            assert file.headers["x-content-type-options"] == "nosniff"
            assert "https://" not in file.text
        assert http.get("/docs/docs.py").status_code == 404
        first = http.get("/openapi.json")
        assert first.headers["content-encoding"] == "gzip"
        assert http.get("/openapi.json", headers={"Accept-Encoding": "identity"}).json() == first.json()
        again = http.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@in_browser
def test_a_search_leaves_no_empty_heading(page: Page) -> None:
    everything = page.ask(SHOWN.format("#operations .operation"))
    assert everything > 250
    write(page, "document.getElementById('find')", "catch-all")
    page.wait("document.getElementById('found').textContent.includes('catch-all')")
    found = page.ask(SHOWN.format("#operations .operation"))
    assert 0 < found < 20
    assert page.ask(SHOWN.format("#contents a")) == found
    assert page.ask(SHOWN.format("#operations .noun > h3")) == 1
    assert page.ask(SHOWN.format("#operations .dialect > h2")) == 1
    write(page, "document.getElementById('find')", "nothing has these words")
    page.wait("document.getElementById('found').textContent.startsWith('No of')")
    assert page.ask(SHOWN.format("#operations h2, #operations h3, #contents summary")) == 0
    page.press("Escape")
    assert page.ask(SHOWN.format("#operations .operation")) == everything


@in_browser
def test_a_link_opens_its_operation(page: Page, gateway: GatewayProcess) -> None:
    page.open("about:blank")
    page.open(f"{gateway.base_url}/docs#post_v1_inboxes_inbox_id_send")
    page.wait(READY)
    box = "document.getElementById('post_v1_inboxes_inbox_id_send')"
    words = page.ask(f"{box}.innerText")
    for expected in (
        "Idempotency-Key",
        "required",
        "message_send",
        "curl -X POST",
        "at most 100,000 characters",
    ):
        assert expected in words
    assert (
        page.ask("document.querySelectorAll('.content').length") == 1
    )  # the others wait until they are opened
    assert page.ask("document.querySelector('[aria-current]').hash") == "#post_v1_inboxes_inbox_id_send"
    page.ask(f"[...{box}.querySelectorAll('[role=tab]')].find((one) => one.textContent === 'Python').click()")
    assert "requests.post(" in page.ask(f"{box}.innerText")
    page.ask("location.hash = 'get_api_v0_inboxes'")
    page.wait("document.getElementById('get_api_v0_inboxes').innerText.includes('requests.get(')")


@in_browser
def test_an_operation_is_tried_with_a_key(page: Page, organization: Organization) -> None:
    box = opened(page, "post_api_v0_inboxes")
    name = f"tried-{secrets.token_hex(4)}"
    hostile = f"<img src=x onerror=alert(1)> {name}"
    assert json.loads(page.ask(f"{box}.querySelector('textarea').value"))["username"] == "agent"
    page.ask(f"{box}.querySelector('.try').requestSubmit()")
    page.wait(f"{box}.querySelector('.said').innerText.startsWith('401')")
    page.problems.clear()  # Chromium notes each answer that is an error

    write(page, f"{box}.querySelector('.key input')", organization.api_key)
    write(page, f"{box}.querySelector('textarea')", json.dumps({"username": name, "display_name": hostile}))
    assert name in page.ask(f"{box}.querySelector('[role=tabpanel]').innerText")
    page.ask(f"{box}.querySelector('.send').click()")
    page.wait(f"{box}.querySelector('.said').innerText.startsWith('201')")
    shown = page.ask(f"{box}.querySelector('.result pre').textContent")
    assert json.loads(shown)["display_name"] == hostile
    assert page.ask("document.querySelectorAll('#operations img').length") == 0
    page.ask(f"{box}.querySelector('.result details').open = true")
    assert "x-request-id: " in page.ask(f"{box}.querySelector('.result').innerText")
    page.size(400)
    assert page.ask("document.documentElement.scrollWidth <= innerWidth")

    # the key is in the other forms too, and nowhere else
    box = opened(page, "get_api_v0_inboxes_inbox_id")
    page.ask(f"{box}.querySelector('.send').click()")
    assert "inbox_id is required" in page.ask(f"{box}.querySelector('.said').innerText")
    write(page, f"{box}.querySelector('.form input')", json.loads(shown)["email"])
    page.ask(f"{box}.querySelector('.send').click()")
    page.wait(f"{box}.querySelector('.said').innerText.startsWith('200')")
    assert organization.api_key not in page.ask("location.href + document.body.innerText + document.cookie")
    assert page.ask("sessionStorage.length + localStorage.length") == 0
    page.ask(f"{box}.querySelector('.key [type=checkbox]').click()")
    assert organization.api_key in page.ask("JSON.stringify(sessionStorage)")


@in_browser
def test_the_browser_keeps_the_policy(page: Page) -> None:
    page.ask("document.body.setAttribute('style', 'margin: 1px')")
    page.ask(
        "document.body.append(Object.assign(document.createElement('img'), {src: 'http://127.0.0.1:9/x.png'}))"
    )
    page.wait("document.images.length")
    refused = page.ask(
        "(() => { try { document.body.innerHTML = '<b>x</b>'; } catch (error) { return error.name; } })()"
    )
    assert refused == "TypeError"
    assert len([one for one in page.problems if "Content Security Policy" in one]) >= 2
    page.problems.clear()


@in_browser
def test_it_fits_into_400_pixels(page: Page) -> None:
    page.size(400)
    box = opened(page, "post_api_v0_inboxes_inbox_id_messages_send")
    page.ask(f"for (const one of {box}.querySelectorAll('details')) one.open = true")
    assert page.ask("document.documentElement.scrollWidth <= innerWidth")
    assert page.ask(SHOWN.format("#contents a")) == 0
    page.ask("document.getElementById('menu').click()")
    page.wait(SHOWN.format("#contents summary"))
    assert page.ask("document.documentElement.scrollWidth <= innerWidth")
    page.ask("document.getElementById('contents').querySelector('[aria-current]').focus()")
    page.press("Escape")
    assert page.ask("document.activeElement.id") == "menu"
    assert page.ask("document.activeElement.ariaExpanded") == "false"


@in_browser
def test_it_works_by_keyboard(page: Page) -> None:
    page.press("Tab")
    assert page.ask("document.activeElement.className") == "skip"
    page.press("/")
    assert page.ask("document.activeElement.id") == "find"
    page.type("zone-file")
    page.press("Enter")
    page.wait("document.activeElement.tagName === 'SUMMARY'")
    page.press("Enter")
    page.wait("document.activeElement.parentElement.open")
    assert page.ask("location.hash") == "#get_api_v0_domains_domain_id_zone_file"
    page.wait("document.activeElement.parentElement.querySelector('[role=tab]')")  # filled when it opens
    for _ in range(20):
        page.press("Tab")
        if page.ask("document.activeElement.getAttribute('role')") == "tab":
            break
    page.press("ArrowRight")
    assert page.ask("document.activeElement.textContent") == "Python"
    assert page.ask("document.activeElement.ariaSelected") == "true"
