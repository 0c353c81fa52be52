"""Calls that write into one directory at the same time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.wasm_tools.module import Module
from wasm_tools import module_path

WRITERS, FILES = 6, 25


def test_writers_and_readers_of_one_directory_do_not_meet(tmp_path: Path) -> None:
    module = Module(module_path("filesystem"), {"/data": tmp_path})

    def write(writer: int) -> list[str]:
        """Write new files and list the directory after each; return what went wrong."""
        said = []
        for number in range(FILES):
            path = f"/data/{writer}-{number}.txt"
            for tool, arguments in (
                ("write_file", {"path": path, "content": f"{writer} {number}"}),
                ("list_directory", {"path": "/data"}),
            ):
                result = module.call(tool, arguments)
                if result.get("isError"):
                    said.append(result["content"][0]["text"])
        return said

    with ThreadPoolExecutor(WRITERS) as pool:
        wrong = [text for said in pool.map(write, range(WRITERS)) for text in said]
    assert not wrong
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == {
        f"{writer}-{number}.txt": f"{writer} {number}"
        for writer in range(WRITERS)
        for number in range(FILES)
    }
