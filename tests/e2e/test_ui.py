"""The operators' page in a browser, before a running bridge: what it shows, what it refuses, and who can use it."""
from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
from pathlib import Path

import pytest

from lib.browser import Browser, PageError
from lib.rpc import wait_for
from lib.tools import ROOT
from lib.world import END_TIMEOUT_S, World

FILES = {"index.html": "text/html", "style.css": "text/css", "app.js": "text/javascript", "api.js": "text/javascript", "dom.js": "text/javascript",
         "judge.js": "text/javascript", "views.js": "text/javascript", "icon.svg": "image/svg+xml"}
VIEWS = ("#/", "#/messages", "#/chains", "#/enclave")
TRACK = "document.querySelector('[data-key^=\"%s\"] .track')?.getAttribute('aria-label') || ''"
# Of every text that is seen: its contrast against what is painted behind it (WCAG 2.2, 1.4.3: 4.5, of large text 3).
CONTRAST = """(() => {
	const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
	const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
		.reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
	const over = (top, below) => { const a = top[3] ?? 1; return [0, 1, 2].map((i) => top[i] * a + below[i] * (1 - a)); };
	const behind = (e) => { const chain = []; for (; e; e = e.parentElement) chain.unshift(numbers(getComputedStyle(e).backgroundColor));
		return chain.reduce((below, c) => over(c, below), [255, 255, 255]); };
	const found = [];
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walker.nextNode()) {
		const text = walker.currentNode.data.trim(), e = walker.currentNode.parentElement, style = getComputedStyle(e);
		if (!text || !e.checkVisibility() || /SCRIPT|STYLE/.test(e.nodeName) || e.closest('.hidden, .skip')) continue;
		const back = behind(e), size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
		const [a, b] = [light(over(numbers(style.color), back)), light(back)].sort((x, y) => y - x);
		found.push([(a + .05) / (b + .05), large ? 3 : 4.5, text.slice(0, 40)]);
	}
	return found;
})()"""
STRUCTURE = """(() => ({
	h1: [...document.querySelectorAll('h1')].filter((e) => e.checkVisibility()).length,
	levels: [...document.querySelectorAll('h1, h2, h3')].filter((e) => e.checkVisibility()).map((e) => +e.nodeName[1]),
	captions: [...document.querySelectorAll('table')].filter((t) => !t.caption?.innerText).length,
	headers: [...document.querySelectorAll('th')].filter((t) => !t.scope).length,
	ids: [...document.querySelectorAll('[id]')].map((e) => e.id).filter((id, i, all) => all.indexOf(id) !== i),
	references: [...document.querySelectorAll('[aria-labelledby], [aria-describedby]')].flatMap((e) =>
		`${e.getAttribute('aria-labelledby') || ''} ${e.getAttribute('aria-describedby') || ''}`.trim().split(/ +/)).filter((id) => !document.getElementById(id)),
	fields: [...document.querySelectorAll('input, select')].filter((e) => !e.labels.length).length,
	images: [...document.querySelectorAll('img')].filter((e) => !e.hasAttribute('alt')).length,
	wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
}))()"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    if shutil.which("chromium") is None:
        with Browser(tmp_path_factory.mktemp("none")):
            pass
    with World(tmp_path_factory.mktemp("ui"), "anvil", block_time=1) as w:
        yield w


@pytest.fixture(scope="module")
def browser(world, tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("chromium")) as b:
        yield b


def enter(page, key: str) -> None:
    page.run("document.getElementById('key').focus()")
    page.type(key)
    page.press("Enter")


@pytest.fixture
def page(world, browser):
    """Opened with the key of the first gateway, and judged at the end: no error, no request to anybody else."""
    gateway = world.gateways[0]
    page = browser.page(f"{gateway.url}/ui")
    enter(page, gateway.key)
    page.wait("document.querySelector('.connection.open') && document.querySelector('#title')")
    yield page
    page.close()
    assert page.problems == []
    assert {r for r in page.requests if not r.startswith(f"{gateway.url}/")} == set()


@pytest.fixture(scope="module")
def ended(world) -> str:
    """A message that is finalized."""
    message_id = world.send(b"for the page")
    world.gateways[0].ends(message_id)
    return message_id


# ---- the files ----

def ask(gateway, path: str, method: str = "GET", **headers) -> tuple[int, dict, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    reply = connection.getresponse()
    return reply.status, dict(reply.getheaders()), reply.read()


def test_files_are_those_of_the_folder_and_nothing_else(world):
    gateway = world.gateways[0]
    assert {f.name for f in (ROOT / "ui").iterdir()} == set(FILES)
    for name, kind in FILES.items():
        status, headers, body = ask(gateway, f"/ui/{name}")
        assert status == 200 and headers["Content-Type"].split(";")[0] == kind and body == (ROOT / "ui" / name).read_bytes()
        policy = dict(p.strip().split(" ", 1) for p in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'" and policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["form-action"] == policy["trusted-types"] == "'none'"
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-cache"
        assert ask(gateway, f"/ui/{name}", If_None_Match=headers["ETag"])[0] == 304
        assert ask(gateway, f"/ui/{name}", If_None_Match='"other"')[0] == 200
        assert ask(gateway, f"/ui/{name}", "HEAD")[::2] == (200, b"")
    assert ask(gateway, "/ui")[2] == (ROOT / "ui" / "index.html").read_bytes()


@pytest.mark.parametrize("method, path, status", [("GET", "/ui/nothing.js", 404), ("GET", "/ui/..%2Fapi.keys", 404), ("GET", "/ui/app.js/x", 404),
                                                  ("GET", "/ui/%2e%2e", 404), ("POST", "/ui", 405), ("PUT", "/ui/app.js", 405), ("GET", "/ui?x=1", 400)])
def test_what_is_no_file_is_refused(world, method, path, status):
    got, headers, _ = ask(world.gateways[0], path, method)
    assert got == status and headers["Content-Type"] == "application/problem+json"


def test_files_name_no_other_host_and_hold_no_inline_script():
    for name in FILES:
        text = (ROOT / "ui" / name).read_text()
        assert set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text)) <= {"http://www.w3.org"}, name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|localStorage|document\.cookie", text), name
    index = (ROOT / "ui" / "index.html").read_text()
    assert not re.search(r"<style|\son\w+=|\sstyle=|<script(?! type=\"module\" src=)", index)


# ---- the key ----

def test_a_wrong_key_opens_nothing(world, browser):
    gateway = world.gateways[0]
    page = browser.page(f"{gateway.url}/ui")
    for key, why in (("not-a-key-of-this-gateway-at-all", "does not know this key"), (gateway.peer_key, "lacks the scope read")):
        enter(page, key)
        page.wait(f"document.getElementById('key-error').innerText.includes({json.dumps(why)})")
        assert page.run("document.getElementById('view').hidden && document.getElementById('nav').hidden")
        assert page.focused().startswith("API key") and page.run("document.activeElement.type") == "password"
    enter(page, gateway.key)
    page.wait("!document.getElementById('view').hidden")
    page.close()


def test_the_key_is_in_memory_alone(world, browser):
    gateway = world.gateways[0]
    page = browser.page(f"{gateway.url}/ui")
    enter(page, gateway.key)
    page.wait("document.querySelector('.connection.open')")
    kept = page.run("JSON.stringify([{...sessionStorage}, {...localStorage}, document.cookie, location.href, document.documentElement.outerHTML,"
                    " [...document.querySelectorAll('input')].map((e) => e.value)])")
    assert gateway.key not in kept and json.loads(kept)[:3] == [{}, {}, ""]
    assert not any(gateway.key in request for request in page.requests)
    page.run("document.getElementById('leave').click()")
    assert page.run("!document.getElementById('door').hidden && document.getElementById('view').childNodes.length === 0")
    enter(page, gateway.key)
    page.wait("document.querySelector('.connection.open')")
    page.go(f"{gateway.url}/ui")
    assert page.run("!document.getElementById('door').hidden")
    page.close()


def test_the_policy_holds(world, browser):
    """Text of a stranger could become a script nowhere: the browser itself refuses."""
    page = browser.page(f"{world.gateways[0].url}/ui")
    with pytest.raises(PageError, match="TrustedHTML"):
        page.run("document.body.innerHTML = '<img src=x>'")
    assert page.run("(() => { const s = document.createElement('script'); s.append('window.owned = 1'); try { document.head.append(s); } catch {}"
                    " return window.owned === undefined; })()")
    assert page.run("fetch('http://127.0.0.1:1/').then(() => false, () => true)")
    assert page.run("import('./ui/dom.js').then(({h}) => h('p', {title: '\"><b>'}, '<img src=x onerror=alert(1)>').childNodes[0].nodeType)") == 3
    assert any("Content Security Policy" in problem for problem in page.problems)
    page.close()


# ---- what it shows ----

def test_a_message_moves_through_its_steps(world, page):
    message_id = world.send(b"watched")
    seen = []

    def moved() -> bool:
        label = page.run(TRACK % message_id)
        if label and (not seen or seen[-1] != label):
            seen.append(label)
        return label.startswith("Step 18 of 18")

    page.until(moved, f"the end of {message_id}: {seen}", END_TIMEOUT_S)
    numbers = [int(re.match(r"Step (\d+) of 18", label)[1]) for label in seen if label.startswith("Step")]
    assert numbers == sorted(numbers) and len(set(numbers)) >= 3, seen
    page.wait(f"document.querySelector('[data-key^=\"{message_id}\"] .chip').innerText === 'finalized'")
    page.wait(f"[...document.querySelectorAll('.events a')].some((a) => a.title === '{message_id}')")
    # The accounts were empty when the gateway looked first.
    page.wait("document.querySelector('.calm')?.innerText.includes('Nothing needs you')", END_TIMEOUT_S)
    assert "healthy" in page.text("main")
    assert "INSECURE" in page.text("#shout") and "simulated backend" in page.text("#shout")


def test_the_trail_is_the_gateways(world, page, ended):
    gateway = world.gateways[0]
    page.run(f"location.hash = '#/message/{ended}/source'")
    page.wait("document.querySelectorAll('tr.step').length === 18 && document.querySelectorAll('.card').length === 2")
    message, envelope = gateway.message(ended), gateway.get(f"/v1/messages/{ended}/envelope")
    shown = page.run("[...document.querySelectorAll('tr.step')].map((row) => ({text: row.innerText, tx: row.querySelector('td .hash')?.title ?? null}))")
    for step, row in zip(message["steps"], shown):
        assert step["name"].replace("_", " ") in row["text"].lower()
        if step["n"] in (6, 13):
            proof = {6: "receipt under block", 13: "word of its storage under block"}[step["n"]]
            assert f"{proof} {step['proof']['block']:,}".replace(",", "\u202f") in row["text"]
        assert (step.get("tx") or None) == (row["tx"] if step.get("tx") else None)
        assert f"block {step['block']:,}".replace(",", "\u202f") in row["text"] if step.get("block") else True
    cards = page.run("[...document.querySelectorAll('.card')].map((card) => card.innerText)")
    for card, name in zip(cards, ("statement", "outcome_statement")):
        assert envelope[name]["s"] in card and envelope[name]["root"] in card
        assert any(key["public_key"] in card for key in envelope["keys"])
    assert f"caisson envelope {ended} >" in page.text()  # to be copied as it stands
    cost = message["steps"][15]["cost"]
    assert cost["gas_used"] > 20_000 and int(cost["paid"]) > cost["gas_used"] and f"{cost['gas_used']:,}".replace(",", "\u202f") in shown[15]["text"]
    assert "cost" not in message["steps"][9], "the other gateway's transaction is not ours to price"
    assert world.gateways[1].message(ended)["steps"][9]["cost"]["gas_used"] > 20_000


def test_accounts_and_enclave(world, page):
    gateway = world.gateways[0]
    wait_for(lambda: all(a["balance"] for a in gateway.get("/v1/chains")["chains"][0]["accounts"]), 30, "balances")
    chain = gateway.get("/v1/chains")["chains"][0]
    page.run("location.hash = '#/chains'")
    for account in chain["accounts"]:
        page.wait(f"document.querySelector('main').innerText.includes('{account['address']}')")
        told = int(world.sides[0].chain.rpc.call("eth_getBalance", account["address"], "latest"), 16)
        assert abs(int(account["balance"]) - told) < 10**18 and not account["low"]
    heights = page.run("Object.fromEntries([...document.querySelectorAll('[data-key^=\"t-endpoints\"] tbody tr')].map((r) => [r.querySelector('.under').innerText, r.children[2].innerText]))")
    assert heights["websocket"] == "–" and int(re.sub(r"\D", "", heights["requests"])) > 0, heights
    assert "coins" in page.text("main") and chain["gateway"] in page.text("main")
    page.run("location.hash = '#/enclave'")
    told = gateway.get("/v1/enclave")
    page.wait(f"document.querySelector('main').innerText.includes('{told['measurement']}')")
    text = page.text("main")
    assert all(flag in text for flag in told["insecure"]) and told["evidence_digest"] in text and told["keys"][0]["public_key"] in text
    page.run("document.getElementById('ask-evidence').click()")
    document = json.loads(page.wait("document.querySelector('details pre')?.textContent"))
    assert document["nonce"] in page.text("main") and document["lineage"] == told["lineage"] and document["role"] == "bridge-enclave"


def test_only_the_step_that_failed_is_red(world, page):
    """What came before it is done; and it is counted apart from what is on its way, above and in its route's row."""
    abroad, gateway = world.sides[1], world.gateways[0]
    abroad.app.write(abroad.owner, "setFailing", True)
    message_id = world.send(b"refused")
    gateway.reaches(message_id, "failed")
    abroad.app.write(abroad.owner, "setFailing", False)
    page.run("location.hash = '#/'")
    page.wait("document.querySelector('main').innerText.includes('0 open, 1 failed, ')")
    assert page.run("[...document.querySelectorAll('.figure')].filter((f) => f.innerText.includes('On their way')).map((f) => f.querySelector('dd').innerText)") == ["0"]
    page.run(f"location.hash = '#/message/{message_id}/source'")
    page.wait("document.querySelectorAll('tr.step.failed').length === 1")
    assert page.run("document.querySelector('tr.step.failed').innerText").startswith("10")
    assert page.run("document.querySelectorAll('tr.step.done').length") >= 6 and page.run("document.querySelectorAll('tr.step.next').length") == 0
    assert page.run("[...document.querySelectorAll('.headline .track i')].findIndex((i) => i.className === 'failed')") == 9
    assert page.run("document.querySelectorAll('.headline .track i.failed').length") == 1
    assert world.gateways[1].caisson("retry", message_id).returncode == 0
    gateway.ends(message_id)
    page.wait("document.querySelectorAll('tr.step.failed').length === 0 && document.querySelectorAll('tr.step.done').length > 12")


def test_looking_for_a_message(world, page, ended):
    message = world.gateways[0].message(ended)
    page.run("location.hash = '#/messages'")
    page.wait("document.querySelectorAll('tbody tr').length > 0")
    for text in (ended, message["sent"]["tx"]):
        page.run("location.hash = '#/messages'")
        page.wait("document.getElementById('find')")
        page.run("document.getElementById('find').value = ''; document.getElementById('find').focus()")
        page.type(text)
        page.press("Enter")
        page.wait(f"location.hash === '#/message/{ended}' || (document.querySelectorAll('tbody th a').length === 1 &&"
                  f" document.querySelector('tbody th a').title === '{ended}')")
    page.problems.clear()  # that a transaction is no message is a 404, which the console tells
    page.run("location.hash = '#/message/0x00/source'")
    page.wait("document.querySelector('#view .error')?.innerText.includes('id:')")
    page.problems.clear()


def test_what_is_wrong_is_an_alarm_and_heals(world, page):
    other = world.gateways[1]
    other.kill()
    page.wait(f"document.querySelector('.alarms')?.innerText.includes('{other.name} is not reachable')", END_TIMEOUT_S)
    page.wait(f"document.getElementById('announcer').innerText.includes('{other.name}')")
    other.start()
    page.wait("document.querySelector('.calm')", END_TIMEOUT_S)


@pytest.mark.parametrize("state, needed, left_s, alarm", [
    ("active", True, 8 * 86400, None), ("active", True, 3 * 86400, ("warning", "ends soon", "In 3 d 0 h.")),
    ("active", True, -60, ("alarm", "has ended", "1 min 0 s ago.")), ("expired", True, -7200, ("alarm", "has ended", "2 h 0 min ago.")),
    ("expired", False, -60, ("warning", "has ended", "")), ("stopped", True, 86400, ("alarm", "does not count", "It is stopped.")),
    ("not_registered", True, None, ("alarm", "is not registered", "waits")), ("not_registered", False, None, None)])
def test_a_registration_on_the_ledger_is_an_alarm_before_it_ends(world, page, state, needed, left_s, alarm):
    """What the page makes of what a gateway says, at a moment: this bridge has no ledger."""
    now_s, gateway = 1_800_000_000, world.gateways[0]
    row = {"of": "own", "chain": "eip155:1", "state": state, "needed": needed, "expires_s": left_s and now_s + left_s, "enclave": None, "evidence": None}
    status = gateway.get("/v1/status") | {"ledger": {"conflicts": 0, "registrations": [row]}}
    found = page.run(f"import('{gateway.url}/ui/judge.js').then(m => m.alarms({json.dumps(status)}, null, {now_s * 1000}))")
    found = [a for a in found if a["key"] == "registration own eip155:1"]
    assert [(a["level"], alarm[1] in a["what"], alarm[2] in a["why"]) for a in found] == ([(alarm[0], True, True)] if alarm else [])
    assert all("our enclave of eip155:1" in a["what"] for a in found)
    shown = page.run(f"import('{gateway.url}/ui/views.js').then(m => m.identity({now_s * 1000}, {{enclave: {json.dumps(gateway.get('/v1/enclave'))}, "
                     f"status: {json.dumps(status)}, insecure: []}}).filter(Boolean).map((e) => e.textContent).join('\\n'))")
    assert "Registered on the ledger" in shown and f"eip155:1own{state.replace('_', ' ')}" in shown


@pytest.mark.parametrize("left_s, alarm", [(None, None), (43201, None), (43199, ("warning", "needs a final block")), (0, ("alarm", "is of no use any more"))])
def test_a_light_client_without_a_final_block_is_an_alarm(world, page, left_s, alarm):
    now_s, gateway = 1_800_000_000, world.gateways[0]
    status = gateway.get("/v1/status")
    chain = status["chains"][0]
    assert chain["client_expires_s"] == chain["final_time_s"] + chain["trusting_period_s"]
    chain |= {"trusting_period_s": 86400, "client_expires_s": left_s if left_s is None else now_s + left_s}
    found = page.run(f"import('{gateway.url}/ui/judge.js').then(m => m.alarms({json.dumps(status)}, null, {now_s * 1000}))")
    assert [(a["level"], alarm and alarm[1] in a["what"]) for a in found if a["key"].startswith("client ")] == ([(alarm[0], True)] if alarm else [])


def test_nothing_is_missed_while_the_gateway_is_away(world, page):
    gateway = world.gateways[0]
    os.kill(gateway.pids()["caisson-gateway"], signal.SIGKILL)
    message_id = world.send(b"meanwhile")
    page.wait("document.querySelector('.connection.lost')", END_TIMEOUT_S)
    page.wait("document.querySelector('.connection.open')", END_TIMEOUT_S)
    page.wait(f"({TRACK % message_id}).startsWith('Step 18')", END_TIMEOUT_S)
    page.problems.clear()  # the browser tells of the connections that were refused


# ---- who can use it ----

def test_by_keyboard_alone(world, page):
    page.run("document.getElementById('skip').focus()")
    walked = []
    for _ in range(10):
        walked.append(page.focused())
        outline = page.run("(s => [parseFloat(s.outlineWidth), s.outlineStyle])(getComputedStyle(document.activeElement))")
        assert outline[0] >= 2 and outline[1] != "none", walked
        page.press("Tab")
    assert "Routes and their health" in walked and "The newest messages, as they move" in walked
    assert walked[:6] == ["To the content", "Overview", "Messages", "Chains", "Enclave", "Forget the key"], walked
    page.run("document.getElementById('skip').focus()")
    page.press("Enter")
    assert page.run("document.activeElement.id") == "main"
    page.run("document.querySelector('#nav a[href=\"#/chains\"]').focus()")
    page.press("Enter")
    page.wait("document.activeElement.id === 'title' && document.activeElement.innerText === 'Chains'")
    assert page.run("document.querySelector('#nav [aria-current=page]').innerText") == "Chains"
    assert page.run("document.title").startswith("Chains")


def test_focus_and_what_is_typed_survive_what_moves(world, page, ended):
    page.run("location.hash = '#/'")
    page.wait(f"document.querySelector('[data-key^=\"{ended}\"] a')")
    page.run(f"document.querySelector('[data-key^=\"{ended}\"] a').focus()")
    before = page.focused()
    message_id = world.send(b"one more")
    page.wait(f"document.querySelector('[data-key^=\"{message_id}\"]')", END_TIMEOUT_S)
    assert page.focused() == before
    page.run("location.hash = '#/messages'")
    page.wait("document.getElementById('find')")
    page.run("document.getElementById('find').focus()")
    page.type("0xabc")
    page.wait("new Promise(done => setTimeout(() => done(true), 2500))")
    assert page.run("document.getElementById('find').value") == "0xabc" and page.run("document.activeElement.id") == "find"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everything_has_a_name_and_can_be_read(world, page, ended, dark, tmp_path):
    shots = Path(os.environ.get("CAISSON_SHOTS", tmp_path))
    for view in (*VIEWS, f"#/message/{ended}/source"):
        page.look(dark=dark)
        page.run(f"location.hash = {json.dumps(view)}")
        page.wait("document.querySelector('#title') && !document.querySelector('.empty')?.innerText.startsWith('Asking')")
        name = view.split("/")[1] or "overview"
        page.shot(shots / f"{name}-{'dark' if dark else 'light'}.png")
        poor = [row for row in page.run(CONTRAST) if row[0] < row[1]]
        assert poor == [], view
        told = page.run(STRUCTURE)
        assert told["h1"] == 1 and told["levels"][0] == 1 and all(b - a <= 1 for a, b in zip(told["levels"], told["levels"][1:])), told
        assert {k: told[k] for k in ("captions", "headers", "ids", "references", "fields", "images", "wide")} == {
            "captions": 0, "headers": 0, "ids": [], "references": [], "fields": 0, "images": 0, "wide": False}, view
        tree = page.tree()
        nameless = [n for n in tree if n["focusable"] and not n["name"] and n["role"] not in ("RootWebArea", "main", "generic")]
        assert nameless == [], view
        assert {"banner", "navigation", "main", "contentinfo", "status"} <= {n["role"] for n in tree}, view
        page.look(dark=dark, width=390, height=800)
        assert page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), f"{view} on a telephone"
    page.look()


def test_who_wants_no_motion_gets_none(world, page):
    """The next step of a message beats, here of one that its route holds; not before who asked for no motion."""
    gateway, route = world.gateways[0], {"from_chain": world.chains[0].caip2, "to_chain": world.chains[1].caip2}
    moving = "[...document.querySelectorAll('.group i')].concat(document.body).filter((e) => getComputedStyle(e).animationName !== 'none').length"
    assert gateway.request("POST", "/v1/operator/pause", route)[0] == 200
    try:
        message_id = world.send(b"still")
        page.wait(f"document.querySelector('[data-key^=\"{message_id}\"] .next')", END_TIMEOUT_S)
        assert page.run(moving) > 0
        page.look(still=True)
        assert page.run(moving) == 0
    finally:
        page.look()
        assert gateway.request("POST", "/v1/operator/resume", route)[0] == 200
    gateway.ends(message_id)


def test_the_test_sees_poor_contrast_and_missing_names(page):
    """The judge itself: what it finds nothing of above, it finds here."""
    page.run("import('./ui/dom.js').then(({h}) => { const p = h('p', {id: 'pale'}, 'pale'); p.style.color = '#aaa'; const b = h('button', {id: 'mute'});"
             " document.querySelector('main').append(p, b, h('input', {}), h('table', {}, h('tr', {}, h('th', {}, 'x')))); })")
    assert [row[2] for row in page.run(CONTRAST) if row[0] < row[1]] == ["pale"]
    told = page.run(STRUCTURE)
    assert told["captions"] == 1 and told["headers"] == 1 and told["fields"] == 1
    assert [n for n in page.tree() if n["role"] == "button" and not n["name"]] != []
    page.run("location.reload()")
    page.problems.clear()
