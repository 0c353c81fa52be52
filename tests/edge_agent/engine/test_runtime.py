"""The engine: fresh instances, the cache on disk, mounts, host functions."""

import errno
import gc
import json
import os
import shutil
import stat
import threading
import time
import weakref
from functools import partial

import pytest

from edge_agent.engine import runtime
from edge_agent.engine.call_state import CallState
from edge_agent.engine.code.cache import ModuleCache
from edge_agent.engine.code.compiler import compile_here
from edge_agent.engine.code.modules import LOADED_MODULES
from edge_agent.engine.guest import files
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import CallFailed, ConfigError, ModuleUnavailable
from edge_agent.mounts import Mount
from tests.edge_agent.engines import MESSAGE
from tests.edge_agent.guests import components, modules
from tests.edge_agent.guests.modules import asking_host, echo, saying


def never():
    raise AssertionError("asked for the bytes of a module that is cached")


def compiled_file(directory):
    (path,) = directory.glob("*/*.cwasm")
    return path


# ---- instances ------------------------------------------------------------------


def test_message_goes_in_and_answer_comes_out(send):
    message = b'{"jsonrpc":"2.0","id":1,"method":"x","params":"\xc3\xa4"}'
    assert send(echo(), message).data == message


def test_large_message_goes_through(send):
    roomy = echo(memory='(memory (export "memory") 40)')
    message = b"x" * 2_000_000
    answer = send(roomy, message)
    assert answer.data == message
    assert answer.memory_peak_bytes == 40 * 65536


def test_every_call_has_a_fresh_instance(send):
    counting = modules.module(
        "(i32.store8 (i32.const 1024) (i32.add (i32.load8_u (i32.const 1024)) (i32.const 1)))"
        f"(i64.const {modules.packed(1024, 1)})",
        data=b"a",
    )
    assert [send(counting).data for _ in range(3)] == [b"b", b"b", b"b"]


def test_initialize_runs_before_the_call(send):
    initialized = modules.module(
        f"(i64.const {modules.packed(1024, 1)})",
        extra='(func (export "_initialize") (i32.store8 (i32.const 1024) (i32.const 122)))',
        data=b"a",
    )
    assert send(initialized).data == b"z"


def test_calls_run_side_by_side(engine):
    module = echo()
    loaded, _ = engine.modules.get(module.digest, lambda: module.wasm)
    wrong = []

    def many(number):
        for turn in range(200):
            message = b"%d %d" % (number, turn)
            if engine.send(loaded, message, CallState()).data != message:
                wrong.append(message)

    threads = [threading.Thread(target=many, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_short_sleep_is_slept(send):
    answer = send(modules.sleeping(0.05))
    assert b"slept" in answer.data
    assert answer.exec_ms >= 45


def test_without_room_for_a_pool_the_engine_still_runs(monkeypatch, tmp_path):
    def no_address_space(*_):
        raise OSError("cannot reserve memory")

    monkeypatch.setattr(runtime.native, "use_pooling", no_address_space)
    engine = WasmEngine(tmp_path / "cache", concurrency=1)
    assert not engine.space.pooled
    module = saying("unpooled")
    loaded, _ = engine.modules.get(module.digest, lambda: module.wasm)
    assert b"unpooled" in engine.send(loaded, b"{}", CallState()).data
    engine.close()


# ---- loading ----------------------------------------------------------------------


def test_module_is_loaded_once_and_then_warm(engine):
    module = saying("hello")
    asked = []

    def source():
        asked.append(1)
        return module.wasm

    assert engine.modules.get(module.digest, source)[1] is True
    assert engine.modules.get(module.digest, source)[1] is False
    assert len(asked) == 1
    assert engine.modules.loaded() == [module.digest]


def test_many_at_once_share_one_load(engine):
    module = saying("hello")
    asked = []
    gate = threading.Event()

    def source():
        asked.append(1)
        gate.wait(5)
        return module.wasm

    found = []
    threads = [
        threading.Thread(target=lambda: found.append(engine.modules.get(module.digest, source)[0]))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert len(asked) == 1
    assert len(found) == 5
    assert len(set(map(id, found))) == 1


def test_failed_load_is_tried_again(engine):
    module = saying("hello")

    def away():
        raise ModuleUnavailable("the dispatcher is away")

    with pytest.raises(ModuleUnavailable):
        engine.modules.get(module.digest, away)
    assert engine.modules.get(module.digest, lambda: module.wasm)[1] is True


def test_a_prepared_module_waits_on_disk(engine):
    module = saying("hello")
    engine.modules.prepare(module.digest, lambda: module.wasm)
    assert engine.modules.ready() == [module.digest]
    assert engine.modules.loaded() == []
    loaded, cold = engine.modules.get(module.digest, never)
    assert cold
    assert b"hello" in engine.send(loaded, b"{}", CallState()).data
    engine.modules.prepare(module.digest, never)
    assert engine.modules.loaded() == [module.digest]


def test_where_the_disk_is_full_a_prepared_module_stays_in_memory(engine, monkeypatch):
    module = saying("hello")
    monkeypatch.setattr("edge_agent.engine.code.cache.write_whole", fail_for_want_of_room)
    engine.modules.prepare(module.digest, lambda: module.wasm)
    assert engine.modules.ready() == engine.modules.loaded() == [module.digest]
    loaded, cold = engine.modules.get(module.digest, never)
    assert not cold
    assert b"hello" in engine.send(loaded, b"{}", CallState()).data


def fail_for_want_of_room(path, data, **_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_module_that_left_the_disk_is_ready_no_more(tmp_path):
    engine = WasmEngine(tmp_path / "cache", 1, cache_bytes=1)
    first, second = saying("first"), saying("second")
    for module in (first, second):
        engine.modules.prepare(module.digest, lambda wasm=module.wasm: wasm)
    assert engine.modules.ready() == [second.digest]


def test_few_of_many_modules_stay_in_memory(engine):
    many = [saying(f"number {number}") for number in range(LOADED_MODULES + 3)]
    for module in many:
        engine.modules.get(module.digest, lambda wasm=module.wasm: wasm)
    digests = [module.digest for module in many]
    assert engine.modules.loaded() == digests[3:]
    assert engine.modules.ready() == digests
    assert engine.modules.get(digests[0], never)[1]


# ---- the cache on disk ---------------------------------------------------------------


def test_next_process_finds_the_module_on_disk(tmp_path):
    module = saying("hello")
    first = WasmEngine(tmp_path / "cache", 1)
    first.modules.get(module.digest, lambda: module.wasm)
    second = WasmEngine(tmp_path / "cache", 1)
    loaded, cold = second.modules.get(module.digest, never)
    assert cold
    assert b"hello" in second.send(loaded, b"{}", CallState()).data


def test_dropped_module_comes_back_from_disk(engine):
    module = saying("hello")
    engine.modules.get(module.digest, lambda: module.wasm)
    engine.modules.drop(module.digest)
    loaded, cold = engine.modules.get(module.digest, never)
    assert cold
    assert b"hello" in engine.send(loaded, b"{}", CallState()).data


@pytest.mark.parametrize("damage", ["flip", "cut", "foreign tag", "no tag"])
def test_damaged_or_foreign_file_is_compiled_anew(tmp_path, damage):
    module = saying("hello")
    WasmEngine(tmp_path / "cache", 1).modules.get(module.digest, lambda: module.wasm)
    path = compiled_file(tmp_path / "cache")
    data = bytearray(path.read_bytes())
    tag = path.with_suffix(".tag")
    match damage:
        case "flip":
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
        case "cut":
            path.write_bytes(data[: len(data) // 2])
        case "foreign tag":
            tag.write_bytes(bytes(32))
        case "no tag":
            tag.unlink()
    asked = []

    def source():
        asked.append(1)
        return module.wasm

    engine = WasmEngine(tmp_path / "cache", 1)
    loaded, _ = engine.modules.get(module.digest, source)
    assert asked
    assert b"hello" in engine.send(loaded, b"{}", CallState()).data
    assert WasmEngine(tmp_path / "cache", 1).modules.get(module.digest, never)


def test_file_changed_while_the_agent_runs_is_checked_again(engine, tmp_path):
    module = saying("hello")
    engine.modules.get(module.digest, lambda: module.wasm)
    engine.modules.drop(module.digest)
    path = compiled_file(tmp_path / "cache")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    asked = []

    def source():
        asked.append(1)
        return module.wasm

    engine.modules.get(module.digest, source)
    assert asked


def test_two_agents_of_one_machine_compile_a_module_once(tmp_path):
    module = saying("hello")
    compiled = []

    def slowly(wasm, **more):
        compiled.append(wasm)
        time.sleep(0.2)
        return compile_here(wasm, **more)

    engines = [WasmEngine(tmp_path / "cache", 1) for _ in range(3)]
    for engine in engines:
        engine.modules._compile = partial(slowly, space=engine.space)
    gets = [
        threading.Thread(target=engine.modules.get, args=(module.digest, lambda: module.wasm))
        for engine in engines
    ]
    for get in gets:
        get.start()
    for get in gets:
        get.join()
    assert compiled == [module.wasm]
    assert all(engine.modules.loaded() == [module.digest] for engine in engines)


def test_a_process_that_keeps_the_lock_is_not_waited_for_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("edge_agent.engine.code.cache._PATIENCE_S", 0.1)
    module = saying("hello")
    engine = WasmEngine(tmp_path / "cache", 1)
    with engine.modules.cache.alone(module.digest):
        assert engine.modules.get(module.digest, lambda: module.wasm)[1]


def test_one_module_cannot_pose_as_another(tmp_path):
    good, bad = saying("good"), saying("bad")
    first = WasmEngine(tmp_path / "cache", 1)
    for module in (good, bad):
        first.modules.get(module.digest, lambda wasm=module.wasm: wasm)
    folder = compiled_file_folder(tmp_path / "cache")
    for suffix in (".cwasm", ".tag"):
        shutil.copy(folder / (bad.digest + suffix), folder / (good.digest + suffix))
    engine = WasmEngine(tmp_path / "cache", 1)
    loaded, _ = engine.modules.get(good.digest, lambda: good.wasm)
    assert b"good" in engine.send(loaded, b"{}", CallState()).data


def compiled_file_folder(directory):
    return next(iter(directory.glob("*/*.cwasm"))).parent


def test_cache_is_private(engine, tmp_path):
    cache = tmp_path / "cache"
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert stat.S_IMODE((cache / "key").stat().st_mode) == 0o600


def test_cache_open_to_others_is_refused(tmp_path):
    (tmp_path / "cache").mkdir(mode=0o777)
    (tmp_path / "cache").chmod(0o777)
    with pytest.raises(ConfigError, match="chmod 700"):
        WasmEngine(tmp_path / "cache", 1)


@pytest.mark.parametrize("harm", ["emptied", "longer", "readable to others", "a link"])
def test_a_key_that_is_none_is_replaced_and_nothing_that_it_signed_is_loaded(tmp_path, harm):
    folder = tmp_path / "cache"
    ModuleCache(folder, "engine").store("a" * 64, b"compiled")
    key = folder / "key"
    before = key.read_bytes()
    if harm == "emptied":
        key.write_bytes(b"")
    elif harm == "longer":
        key.write_bytes(before + b"x")
    elif harm == "readable to others":
        key.chmod(0o644)
    else:
        key.rename(tmp_path / "elsewhere")
        key.symlink_to(tmp_path / "elsewhere")
    cache = ModuleCache(folder, "engine")
    assert cache.find("a" * 64) is None
    assert key.read_bytes() != before
    assert stat.S_IMODE(key.lstat().st_mode) == 0o600
    cache.store("b" * 64, b"compiled")
    assert ModuleCache(folder, "engine").find("b" * 64)


def test_where_nothing_can_be_kept_an_agent_runs_without(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("edge_agent.engine.code.cache.tempfile.mkstemp", full)
    cache = ModuleCache(tmp_path / "cache", "engine")
    cache.store("a" * 64, b"compiled")
    assert cache.find("a" * 64) is None


def test_cache_keeps_to_its_bound_and_drops_the_oldest(tmp_path):
    cache = ModuleCache(tmp_path / "cache", "engine", max_bytes=2500)
    for age, digest in enumerate(["a" * 64, "b" * 64, "c" * 64]):
        cache.store(digest, bytes(1000))
        os.utime(tmp_path / "cache" / "engine" / f"{digest}.tag", (age, age))
    assert cache.find("a" * 64) is None
    assert cache.find("b" * 64)
    assert cache.find("c" * 64)


def test_what_killed_processes_left_half_written_is_deleted(tmp_path):
    folder = tmp_path / "cache"
    ModuleCache(folder, "engine").store("a" * 64, b"compiled")
    old = [folder / "engine/.new-old", folder / ".key-old"]
    new = [folder / "engine/.new-now", folder / ".key-now"]
    for path in (*old, *new):
        path.write_bytes(b"half")
    for path in old:
        os.utime(path, (1, 1))
    cache = ModuleCache(folder, "another")
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in new)  # somebody may be at it
    assert cache.find("b" * 64) is None
    assert ModuleCache(folder, "engine").find("a" * 64)


def test_full_disk_costs_only_the_cache(engine, send, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge_agent.engine.code.cache.write_whole", full)
    assert b"hello" in send(saying("hello")).data


# ---- what a guest may ask of its host -----------------------------------------------------


@pytest.fixture
def mounted(tmp_path):
    """A directory with a file, a way out, and a file outside."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "tool.sh").write_text("#!/bin/sh\n")
    (inside / "tool.sh").chmod(0o640)
    (inside / "here").symlink_to("tool.sh")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "secret").chmod(0o600)
    (inside / "out").symlink_to("../secret")
    (inside / "away").symlink_to(tmp_path)
    return inside


def ask_mode(send, mounted, readonly=False, **request):
    module = asking_host("file_mode", json.dumps(request))
    mount = Mount("/data", str(mounted), readonly)
    return json.loads(send(module, mounts=(mount,)).data)


def test_file_mode_is_read(send, mounted):
    assert ask_mode(send, mounted, op="get", path="/data/tool.sh") == {"mode": 0o640}
    assert ask_mode(send, mounted, op="get", path="/data/here") == {"mode": 0o640}
    assert ask_mode(send, mounted, readonly=True, op="get", path="/data/./tool.sh") == {
        "mode": 0o640
    }


def test_file_mode_is_set(send, mounted):
    assert ask_mode(send, mounted, op="set", path="/data/tool.sh", mode=0o755) == {"mode": 0o755}
    assert stat.S_IMODE((mounted / "tool.sh").stat().st_mode) == 0o755


@pytest.mark.parametrize("walk", [False, True], ids=["openat2", "walk"])
@pytest.mark.parametrize(
    "path",
    ["/data/out", "/data/away/secret", "/data/../secret", "/secret", "/database", "data/tool.sh"],
)
def test_file_mode_never_leaves_the_mount(send, mounted, tmp_path, monkeypatch, path, walk):
    if walk:
        monkeypatch.setattr(files, "_openat2", no_openat2)
    for request in ({"op": "get"}, {"op": "set", "mode": 0o777}):
        answer = ask_mode(send, mounted, path=path, **request)
        assert list(answer) == ["error"]
        assert str(tmp_path) not in answer["error"]
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def no_openat2(*_):
    raise OSError(38, "Function not implemented")


def test_file_mode_works_without_openat2(send, mounted, monkeypatch):
    monkeypatch.setattr(files, "_openat2", no_openat2)
    (mounted / "deep").mkdir()
    (mounted / "deep" / "file").touch(mode=0o600)
    assert ask_mode(send, mounted, op="get", path="/data/deep/file") == {"mode": 0o600}
    answer = ask_mode(send, mounted, op="get", path="/data/here")  # a link, inside or not
    assert "error" in answer


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"op": "set", "path": "/data/tool.sh", "mode": 0o4755}, "0 to 511"),
        ({"op": "set", "path": "/data/tool.sh", "mode": True}, "0 to 511"),
        ({"op": "set", "path": "/data/tool.sh"}, "0 to 511"),
        ({"op": "own", "path": "/data/tool.sh"}, "get, set, link, list or look"),
        ({"op": "get", "path": 5}, "absolute path"),
        ({"op": "get", "path": "/data/absent"}, "no such file"),
    ],
)
def test_file_mode_refuses_nonsense(send, mounted, request_, words):
    assert words in ask_mode(send, mounted, **request_)["error"]


@pytest.mark.parametrize("walk", [False, True], ids=["openat2", "walk"])
def test_links_are_told_as_tools_see_them(send, mounted, tmp_path, monkeypatch, walk):
    if walk:
        monkeypatch.setattr(files, "_openat2", no_openat2)
    (mounted / "absolute").symlink_to(mounted / "deep" / ".." / "tool.sh")
    (mounted / "root").symlink_to(mounted)
    (mounted / "beside").symlink_to(f"{mounted}-not")
    (mounted / "leaving").symlink_to(f"{mounted}/../secret")

    def target(name):
        return ask_mode(send, mounted, op="link", path=f"/data/{name}")

    assert target("here") == {"target": "tool.sh"}
    assert target("absolute") == {"target": "/data/tool.sh"}
    assert target("root") == {"target": "/data"}
    for name in ("away", "beside", "leaving", "tool.sh", "absent", "../secret", "away/secret"):
        answer = target(name)
        assert list(answer) == ["error"], name
        assert str(tmp_path) not in answer["error"]


@pytest.mark.parametrize("walk", [False, True], ids=["openat2", "walk"])
def test_what_wasi_lacks_is_told_of_files(send, mounted, tmp_path, monkeypatch, walk):
    if walk:
        monkeypatch.setattr(files, "_openat2", no_openat2)
    (mounted / os.fsdecode(b"l\xe9")).write_bytes(b"four")
    (mounted / "deep").mkdir(exist_ok=True)

    def told(**request):
        return ask_mode(send, mounted, readonly=True, **request)

    def expected(path, name):
        found = path.lstat()
        times = [found.st_mtime_ns, found.st_ctime_ns]
        return [name, found.st_mode, found.st_size, *times, found.st_ino, found.st_dev]

    entries = {entry[0]: entry for entry in told(op="list", path="/data")["entries"]}
    names = [os.fsencode(path.name).decode("latin-1") for path in mounted.iterdir()]
    assert sorted(entries) == sorted(names)
    assert entries["l\xe9"] == expected(mounted / os.fsdecode(b"l\xe9"), "l\xe9")
    for name in ("tool.sh", "away", "out"):
        assert entries[name] == expected(mounted / name, name)
        assert told(op="look", path=f"/data/{name}") == {"entry": entries[name]}
    assert told(op="list", path="/data/deep") == {"entries": []}
    for request in (
        {"op": "list", "path": "/data/tool.sh"},
        {"op": "list", "path": "/data/away"},
        {"op": "list", "path": "/data/.."},
        {"op": "list", "path": "/"},
        {"op": "look", "path": "/data/away/secret"},
        {"op": "look", "path": "/data/absent"},
    ):
        answer = told(**request)
        assert list(answer) == ["error"], request
        assert str(tmp_path) not in answer["error"]


def test_file_mode_is_not_set_in_a_read_only_mount(send, mounted):
    answer = ask_mode(send, mounted, readonly=True, op="set", path="/data/tool.sh", mode=0o777)
    assert "read-only" in answer["error"]
    assert stat.S_IMODE((mounted / "tool.sh").stat().st_mode) == 0o640


@pytest.mark.parametrize("request_", ["not json", "[]", '{"op"', "[" * 5000])
def test_host_function_answers_what_is_no_request(send, request_):
    answer = json.loads(send(asking_host("file_mode", request_)).data)
    assert "not" in answer["error"]


def test_http_is_denied_with_the_mend(send):
    request = json.dumps({"method": "GET", "url": "http://169.254.169.254/latest"})
    answer = json.loads(send(asking_host("http", request)).data)
    assert "denied" in answer["error"]
    assert "--allow-egress" in answer["error"]


def test_host_function_survives_forged_pointers(send):
    forged = modules.module(
        f"(drop (call $host (i32.const -1) (i32.const -1)))(i64.const {modules.packed(1024, 2)})",
        imports='(import "sanderling_host" "http" (func $host (param i32 i32) (result i64)))',
        data=b"ok",
    )
    assert send(forged).data == b"ok"


def test_vanished_mount_is_named_by_its_path_only(send, tmp_path):
    with pytest.raises(CallFailed, match="mount /data") as caught:
        send(saying("x"), mounts=(Mount("/data", str(tmp_path / "gone")),))
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "kind", [None, saying("x"), components.saying()], ids=["none", "core", "component"]
)
def test_an_engine_goes_with_its_last_user(tmp_path, kind):
    """It holds thousands of mappings, of which a process may have some 65,000."""
    gc.collect()
    gc.disable()
    try:
        engine = WasmEngine(tmp_path, 1, compiles_apart=False)
        if kind is not None:
            loaded, _ = engine.modules.get(kind.digest, lambda: kind.wasm)
            engine.send(loaded, MESSAGE, CallState())
            del loaded
        inner = weakref.ref(engine.wasmtime_engine)
        engine.close()
        del engine
        assert inner() is None
    finally:
        gc.enable()
