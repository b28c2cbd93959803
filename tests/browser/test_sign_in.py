"""The page on a Supabase project: users sign in by its own Auth, and upload into its own Storage."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
import pytest_asyncio
from playwright.async_api import Request, Route, expect

from tests.browser.conftest import OpenVisit
from tests.browser.visit import Visit
from tests.harness import World, on_supabase, running_world
from tests.identities import SERVICE_TOKEN
from tests.postgrest import Supabase, serving_supabase
from tests.supabase_auth import Account

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "password-of-the-test"
EXPIRED_AFTER_S = 2
# What the service forgives of a token's end, for clocks that differ.
LEEWAY_S = 5

OpenAccountVisit = Callable[..., AbstractAsyncContextManager[Visit]]


@pytest_asyncio.fixture(loop_scope="session")
async def project(database: str) -> AsyncIterator[Supabase]:
    async with serving_supabase(database) as supabase:
        yield supabase


@pytest_asyncio.fixture(loop_scope="session")
async def world(tmp_path: Path, project: Supabase) -> AsyncIterator[World]:
    # The bucket is on this machine, too.
    sandbox = {"private_frames": "take"}
    async with running_world(tmp_path, sandbox=sandbox, **on_supabase(project)) as running:
        project.auth.redirects = {f"{running.url}/"}
        yield running


@pytest.fixture
def alice(project: Supabase) -> Account:
    return project.auth.add(Account("alice@example.com", PASSWORD))


@pytest.fixture
def open_account_visit(world: World, project: Supabase, open_visit: OpenVisit) -> OpenAccountVisit:
    """Give what opens a visit that may also ask the Supabase project."""

    @asynccontextmanager
    async def opened(**options: Any) -> AsyncIterator[Visit]:
        async with open_visit(world, **options) as visit:
            visit.hosts.add(urlsplit(project.url).netloc)
            yield visit

    return opened


@pytest_asyncio.fixture(loop_scope="session")
async def visit(open_account_visit: OpenAccountVisit) -> AsyncIterator[Visit]:
    async with open_account_visit() as opened:
        yield opened


async def fill(visit: Visit, email: str, password: str) -> None:
    await visit.page.get_by_label("E-mail address").fill(email)
    await visit.page.get_by_label("Password").fill(password)
    await visit.button("Sign in").click()


async def sign_in(visit: Visit, account: Account) -> None:
    await visit.open()
    await fill(visit, account.email, account.password)
    await expect(visit.button("Sign out")).to_be_visible()


async def store_for(world: World, project: Supabase, account: Account, title: str) -> str:
    """Store a project of one scene that belongs to the account."""
    headers = {"Authorization": f"Bearer {project.user_token(account.id)}"}
    pair = dict.fromkeys(
        ("first_frame", "last_frame"), f"{world.sandbox_url}/frames/1/first.png?size=304x540"
    )
    body = {"frames": {"1": pair}, "scenes": {"1": {"description": title, "duration": 4}}}
    status, answer = await world.post("/projects", body, headers=headers)
    assert status == 201, answer
    return str(answer["id"])


def form(visit: Visit) -> Any:
    return visit.page.get_by_role("heading", name="Sign in", exact=True)


async def test_wrong_password_is_told_and_the_right_one_signs_in(visit: Visit, alice: Account) -> None:
    await visit.open()
    await fill(visit, alice.email, "not-the-password")
    problem = visit.page.get_by_role("alert")
    await expect(problem).to_have_text(
        "The e-mail address or the password is wrong. Check both, or have a link sent."
    )
    await expect(visit.button("Create video")).to_have_count(0)
    await fill(visit, alice.email, PASSWORD)
    await expect(visit.page.get_by_role("heading", name="Make your first video")).to_be_visible()
    await visit.page.reload()
    await expect(visit.page.get_by_role("heading", name="Make your first video")).to_be_visible()


async def test_unconfirmed_address_and_unreachable_sign_in_are_told_in_plain_words(
    visit: Visit, project: Supabase
) -> None:
    account = project.auth.add(Account("new@example.com", PASSWORD, confirmed=False))
    await visit.open()
    await fill(visit, account.email, PASSWORD)
    problem = visit.page.get_by_role("alert")
    await expect(problem).to_contain_text("This e-mail address is not confirmed yet.")
    await visit.context.route("**/auth/v1/token?*", lambda route: route.abort())
    await fill(visit, account.email, PASSWORD)
    await expect(problem).to_have_text("The sign-in can't be reached. Check the connection, then try again.")


async def test_two_users_see_their_own_projects_only(
    world: World, project: Supabase, alice: Account, open_account_visit: OpenAccountVisit
) -> None:
    bob = project.auth.add(Account("bob@example.com", PASSWORD))
    hers = await store_for(world, project, alice, "Alice's harbour")
    await store_for(world, project, bob, "Bob's lighthouse")
    for account, title in ((alice, "Alice's harbour"), (bob, "Bob's lighthouse")):
        async with open_account_visit() as visit:
            await sign_in(visit, account)
            await expect(visit.page.locator(".project-card a")).to_have_text([title])
            await visit.open(f"/#/projects/{hers}")
            heading = "Alice's harbour" if account is alice else "There is no such project"
            await expect(visit.page.get_by_role("heading", name=heading)).to_be_visible()


async def test_token_that_expires_during_a_watch_is_refreshed_unnoticed(
    visit: Visit, world: World, project: Supabase, alice: Account
) -> None:
    project.auth.lifetime_s = EXPIRED_AFTER_S
    project_id = await store_for(world, project, alice, "Boat")
    tokens: list[str] = []

    def note(request: Request) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and request.url.startswith(world.url):
            tokens.append(token)

    visit.page.on("request", note)
    await sign_in(visit, alice)
    await visit.open_project(project_id)
    await expect(visit.connection("live")).to_be_visible()
    refreshes, token = project.auth.refreshes, tokens[-1]
    expiry = jwt.decode(token, options={"verify_signature": False})["exp"]
    await asyncio.sleep(expiry + LEEWAY_S + 1 - time.time())
    expired = {"Authorization": f"Bearer {token}"}
    async with world.session.get(f"{world.url}/projects/{project_id}", headers=expired) as response:
        assert response.status == 401
    # Else the stream would end every few seconds, with each token.
    project.auth.lifetime_s = 3600
    await visit.context.set_offline(True)
    await expect(visit.connection("offline")).to_be_visible()
    await visit.context.set_offline(False)
    await expect(visit.connection("live")).to_be_visible()
    await visit.button("Generate 1 clip").click()
    await expect(visit.state("1")).to_contain_text("Done in")
    assert project.auth.refreshes > refreshes
    await expect(form(visit)).to_have_count(0)


async def test_token_that_is_refused_early_is_refreshed_and_the_call_made_again(
    visit: Visit, world: World, project: Supabase, alice: Account
) -> None:
    await store_for(world, project, alice, "Boat")
    refused: list[str] = []

    async def refuse_once(route: Route) -> None:
        if refused:
            await route.continue_()
            return
        refused.append(route.request.headers["authorization"])
        await route.fulfill(status=401, json={"success": False, "error": "It is withdrawn."})

    await visit.context.route("**/projects?*", refuse_once)
    await sign_in(visit, alice)
    await expect(visit.page.locator(".project-card a")).to_have_text(["Boat"])
    assert (len(refused), project.auth.refreshes) == (1, 1)


async def test_session_that_was_ended_elsewhere_leads_back_to_the_form(
    visit: Visit, world: World, project: Supabase, alice: Account
) -> None:
    project_id = await store_for(world, project, alice, "Boat")
    project.auth.lifetime_s = EXPIRED_AFTER_S
    await sign_in(visit, alice)
    await visit.open_project(project_id)
    project.auth.end_sessions()
    # An access token that was given before is good until its end.
    await asyncio.sleep(EXPIRED_AFTER_S)
    await visit.page.get_by_role("link", name="Projects").click()
    await expect(form(visit)).to_be_visible()
    await expect(visit.button("Sign out")).to_have_count(0)


async def test_sign_out_ends_the_session_here_and_at_supabase(
    visit: Visit, project: Supabase, alice: Account
) -> None:
    await sign_in(visit, alice)
    await visit.button("Sign out").click()
    await expect(form(visit)).to_be_visible()
    await expect(visit.toast).to_contain_text("Signed out.")
    assert project.auth.open_sessions == 0
    assert await visit.page.evaluate("localStorage.getItem('clips-session')") is None
    await visit.page.reload()
    await expect(form(visit)).to_be_visible()


async def test_link_signs_in_once_and_only_in_the_browser_that_asked_for_it(
    visit: Visit, project: Supabase, alice: Account, open_account_visit: OpenAccountVisit
) -> None:
    await visit.open()
    await visit.page.get_by_label("E-mail address").fill("stranger@example.com")
    await visit.button("Send me a link").click()
    await expect(visit.page.get_by_role("alert")).to_contain_text("There is no account with this e-mail")
    await visit.page.get_by_label("E-mail address").fill(alice.email)
    await visit.button("Send me a link").click()
    sent = visit.page.get_by_text(f"A link is on its way to {alice.email}. Open it in this browser.")
    await expect(sent).to_be_visible()
    await visit.shot("sign-in-link-sent")
    async with open_account_visit() as other:
        await other.page.goto(project.auth.links[alice.email])
        await expect(other.page.get_by_role("alert")).to_contain_text("asked for in another browser")
        assert urlsplit(other.page.url).query == ""
        await other.page.goto(project.auth.links[alice.email])
        await expect(other.page.get_by_role("alert")).to_contain_text("was used already")
    await visit.button("Send me a link").click()
    await expect(sent).to_be_visible()
    await visit.page.goto(project.auth.links[alice.email])
    await expect(visit.page.get_by_role("heading", name="Make your first video")).to_be_visible()
    assert urlsplit(visit.page.url).query == ""


async def test_uploaded_frame_lies_in_the_bucket_and_shows(
    visit: Visit, project: Supabase, alice: Account
) -> None:
    await sign_in(visit, alice)
    await visit.button("Create video").first.click()
    frames = [await visit.frame(1, end) for end in ("first", "last")]
    await visit.drop(
        visit.page.locator(".drop"), {f"{number}.png": frame for number, frame in enumerate(frames)}
    )
    await visit.button("Create 1 clip").click()
    await expect(visit.state("1")).to_contain_text("Done in")
    assert {bucket for bucket, _ in project.storage.objects} == {"images"}
    kept = [one.content for one in project.storage.objects.values() if one.media_type == "image/png"]
    assert sorted(kept) == sorted(frames)
    pictures = visit.scene("1").locator("img")
    await expect(pictures).to_have_count(2)
    for picture in await pictures.all():
        await expect(picture).to_have_attribute(
            "src", re.compile(re.escape(f"{project.url}/storage/v1/object/public/images/"))
        )
        await picture.scroll_into_view_if_needed()
        await expect(picture).to_have_js_property("complete", value=True)
        assert await picture.evaluate("(image) => image.naturalHeight") == 480
    await visit.shot("supabase-project")


async def test_without_the_public_key_the_page_says_what_to_set(
    tmp_path: Path, project: Supabase, open_visit: OpenVisit
) -> None:
    options = {**on_supabase(project), "supabase_anon_key": ""}
    async with running_world(tmp_path, **options) as world, open_visit(world) as visit:
        await visit.open()
        await expect(visit.page.get_by_role("heading", name="No account can sign in yet")).to_be_visible()
        await expect(visit.page.get_by_text("set SUPABASE_ANON_KEY")).to_be_visible()
        await visit.shot("sign-in-unfinished")
        assert await visit.violations() == []


@asynccontextmanager
async def visit_with_a_token(
    tmp_path: Path, project: Supabase, open_visit: OpenVisit, *, anon_key: str = "", **options: Any
) -> AsyncIterator[Visit]:
    """Open the page of a service that has a SERVICE_TOKEN beside Supabase."""
    settings = {**on_supabase(project), "supabase_anon_key": anon_key, "service_token": SERVICE_TOKEN}
    async with running_world(tmp_path, **settings) as world, open_visit(world, **options) as visit:
        visit.hosts.add(urlsplit(project.url).netloc)
        yield visit


async def enter_token(visit: Visit, token: str) -> None:
    await visit.page.get_by_label("Service token").fill(token)
    await visit.button("Sign in").click()


async def test_operator_signs_in_by_the_token_and_sees_the_projects_of_all(
    tmp_path: Path, project: Supabase, alice: Account, open_visit: OpenVisit
) -> None:
    async with visit_with_a_token(tmp_path, project, open_visit, anon_key=project.anon_key) as visit:
        await store_for(visit.world, project, alice, "Alice's harbour")
        nobodys = await visit.world.store({"1": {"description": "Nobody's boat", "duration": 4}})
        await visit.open()
        await expect(form(visit)).to_be_visible()
        await visit.button("Sign in as operator").click()
        await expect(visit.page.get_by_label("Service token")).to_be_focused()
        await enter_token(visit, "not-the-token-at-all")
        await expect(visit.page.get_by_text("This is not the service's token.")).to_be_visible()
        await visit.button("Sign in with an account").click()
        await expect(visit.page.get_by_label("E-mail address")).to_be_visible()
        await visit.button("Sign in as operator").click()
        await enter_token(visit, SERVICE_TOKEN)
        await expect(visit.page.locator(".project-card a")).to_have_text(["Nobody's boat", "Alice's harbour"])
        await visit.shot("operator-projects")
        await visit.page.reload()
        await visit.open_project(nobodys)
        await expect(visit.connection("live")).to_be_visible()
        await visit.button("Generate 1 clip").click()
        await expect(visit.state("1")).to_contain_text("Done in")
        await visit.button("Sign out").click()
        await visit.page.reload()
        await expect(form(visit)).to_be_visible()


async def test_account_that_signs_out_in_another_tab_leaves_the_operator_signed_in(
    tmp_path: Path, project: Supabase, alice: Account, open_visit: OpenVisit
) -> None:
    async with visit_with_a_token(tmp_path, project, open_visit, anon_key=project.anon_key) as visit:
        await visit.open()
        await visit.button("Sign in as operator").click()
        await enter_token(visit, SERVICE_TOKEN)
        await expect(visit.button("Sign out")).to_be_visible()
        other = Visit(visit.world, visit.context, await visit.context.new_page())
        await sign_in(other, alice)
        await other.button("Sign out").click()
        await expect(form(other)).to_be_visible()
        await expect(visit.button("Sign out")).to_be_visible()
        await visit.page.reload()
        await expect(visit.button("Sign out")).to_be_visible()


async def test_operator_signs_in_where_no_account_can(
    tmp_path: Path, project: Supabase, open_visit: OpenVisit
) -> None:
    async with visit_with_a_token(tmp_path, project, open_visit) as visit:
        await visit.open()
        await expect(visit.page.get_by_role("heading", name="No account can sign in yet")).to_be_visible()
        await visit.button("Sign in as operator").click()
        await enter_token(visit, SERVICE_TOKEN)
        await expect(visit.page.get_by_role("heading", name="Make your first video")).to_be_visible()


async def test_draft_is_offered_to_the_person_alone_who_began_it(
    visit: Visit, alice: Account, project: Supabase
) -> None:
    bob = project.auth.add(Account("bob@example.com", PASSWORD))

    async def open_dialog(account: Account) -> None:
        await sign_in(visit, account)
        await visit.page.locator("#new").click()
        await expect(name).to_be_visible()

    async def leave() -> None:
        await visit.button("Sign out").click()
        await expect(form(visit)).to_be_visible()

    name = visit.page.get_by_role("textbox", name="Name (optional)")
    await open_dialog(alice)
    await name.fill("Harbour")
    await visit.button("Close").click()
    await visit.button("Keep for later").click()
    await leave()
    await open_dialog(bob)
    await expect(visit.button("Continue")).to_be_hidden()
    await visit.button("Close").click()
    await leave()
    await open_dialog(alice)
    await expect(visit.page.get_by_text("“Harbour”")).to_be_visible()


async def test_without_a_service_token_no_operator_is_offered_to_sign_in(visit: Visit) -> None:
    await visit.open()
    await expect(form(visit)).to_be_visible()
    await expect(visit.button("Sign in as operator")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"width": 1280, "height": 860}, {"width": 390, "height": 844}])
async def test_sign_in_of_an_operator_is_accessible_and_fits(
    tmp_path: Path, project: Supabase, open_visit: OpenVisit, scheme: str, size: dict[str, int]
) -> None:
    async with visit_with_a_token(
        tmp_path, project, open_visit, anon_key=project.anon_key, color_scheme=scheme, viewport=size
    ) as visit:
        await visit.open()
        await expect(form(visit)).to_be_visible()
        await visit.shot(f"sign-in-two-ways-{scheme}-{size['width']}")
        assert await visit.violations() == []
        await visit.button("Sign in as operator").click()
        await visit.shot(f"sign-in-operator-{scheme}-{size['width']}")
        assert await visit.violations() == []
        assert await visit.page.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"width": 1280, "height": 860}, {"width": 390, "height": 844}])
async def test_sign_in_is_accessible_and_fits(
    open_account_visit: OpenAccountVisit, scheme: str, size: dict[str, int]
) -> None:
    async with open_account_visit(color_scheme=scheme, viewport=size) as visit:
        await visit.open()
        await expect(form(visit)).to_be_visible()
        assert await visit.violations() == []
        await fill(visit, "nobody@example.com", "wrong")
        await expect(visit.page.get_by_role("alert")).to_contain_text("is wrong")
        await visit.shot(f"sign-in-supabase-{scheme}-{size['width']}")
        assert await visit.violations() == []
        assert await visit.page.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.parametrize("width", [1280, 390])
async def test_user_is_told_once_that_the_service_could_not_order_and_nothing_of_its_account(
    world: World, project: Supabase, alice: Account, open_account_visit: OpenAccountVisit, width: int
) -> None:
    await world.set_faults(balance_usd=0)
    project_id = await store_for(world, project, alice, "A boat leaves.")
    async with open_account_visit(viewport={"width": width, "height": 844}) as visit:
        await sign_in(visit, alice)
        await visit.open_project(project_id)
        await visit.button("Generate 1 clip").click()
        await expect(visit.page.locator(".banner")).to_contain_text(
            "Its account at Runware needs attention. Whoever runs the service finds the reason in its log. "
            "Your scenes are kept."
        )
        await expect(visit.state("1")).to_have_text("Not made: the service could not order it.")
        await expect(visit.toast).to_contain_text("The service could not order it.")
        await expect(visit.page.get_by_role("button", name="Retry")).to_have_count(0)
        for words in ("balance", "RUNWARE", "credit"):
            await expect(visit.page.locator("body")).not_to_contain_text(words)
        await visit.shot(f"not-ordered-user-{width}")
        assert await visit.violations() == []
        await world.set_faults(balance_usd=1000)
        await visit.button("Try again").click()
        await expect(visit.state("1")).to_contain_text("Done in")
