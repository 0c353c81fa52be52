"""Pins what the agent uses of wasmtime-py's private parts (edge_agent/engine/guest/native.py,
side_instances.py, edge_agent/engine/component/host_calls.py)."""

import ctypes
import inspect

import pytest
import wasmtime
from wasmtime import _bindings, _ffi

from edge_agent.engine.guest import native, side_instances

POINTER, INT, SIZE, BOOL = "pointer", "i64", "size", "bool"

# As wasmtime-py 50.0.1 declares them: the result, then the arguments.
SIGNATURES = {
    "wasmtime_store_new": (POINTER, POINTER, POINTER, "callback"),
    "wasmtime_store_context": (POINTER, POINTER),
    "wasmtime_store_delete": (None, POINTER),
    "wasmtime_store_limiter": (None, POINTER, INT, INT, INT, INT, INT),
    "wasmtime_store_epoch_deadline_callback": (None, POINTER, "callback", POINTER, "callback"),
    "wasmtime_context_set_epoch_deadline": (None, POINTER, "u64"),
    "wasmtime_config_wasm_component_model_async_set": (None, POINTER, BOOL),
    "wasmtime_context_set_wasi": (POINTER, POINTER, POINTER),
    "wasi_config_new": (POINTER,),
    "wasi_config_preopen_dir": (BOOL, POINTER, POINTER, POINTER, BOOL),
    "wasi_config_set_argv": (BOOL, POINTER, SIZE, POINTER),
    "wasi_config_set_env": (BOOL, POINTER, SIZE, POINTER, POINTER),
    "wasi_config_set_stdin_bytes": (None, POINTER, POINTER),
    "wasi_config_set_stdout_custom": (None, POINTER, "callback", POINTER, "callback"),
    "wasi_config_set_stdout_file": (BOOL, POINTER, POINTER),
    "wasi_config_set_stderr_file": (BOOL, POINTER, POINTER),
    "wasm_byte_vec_new": (None, POINTER, SIZE, POINTER),
    "wasi_config_set_stderr_custom": (None, POINTER, "callback", POINTER, "callback"),
    "wasmtime_instance_pre_instantiate": (POINTER, POINTER, POINTER, POINTER, POINTER),
    "wasmtime_instance_export_get": (BOOL, POINTER, POINTER, POINTER, SIZE, POINTER),
    "wasmtime_func_call_unchecked": (POINTER, POINTER, POINTER, POINTER, SIZE, POINTER),
    "wasmtime_memory_data": (POINTER, POINTER, POINTER),
    "wasmtime_memory_data_size": (SIZE, POINTER, POINTER),
    "wasmtime_error_new": (POINTER, POINTER),
    "wasmtime_error_delete": (None, POINTER),
    "wasm_trap_delete": (None, POINTER),
    "wasmtime_trap_new": (POINTER, POINTER, SIZE),
    "wasmtime_caller_context": (POINTER, POINTER),
    "wasmtime_caller_export_get": (BOOL, POINTER, POINTER, SIZE, POINTER),
    "wasmtime_linker_get": (BOOL, POINTER, POINTER, POINTER, SIZE, POINTER, SIZE, POINTER),
    "wasmtime_linker_define_func_unchecked": (
        *(POINTER, POINTER, POINTER, SIZE, POINTER, SIZE),
        *(POINTER, "callback", POINTER, "callback"),
    ),
    "wasmtime_instance_new": (*(POINTER, POINTER, POINTER, POINTER, SIZE, POINTER, POINTER),),
}
USES = (*native.USES, *side_instances.USES)
KINDS = {ctypes.c_bool: BOOL, ctypes.c_int64: INT, ctypes.c_uint64: "u64", ctypes.c_void_p: POINTER}


def kind(declared):
    if declared is None:
        return None
    if issubclass(declared, ctypes._Pointer) or declared is ctypes.c_char_p:
        return POINTER
    if issubclass(declared, ctypes._CFuncPtr):
        return "callback"
    # size_t and uint64_t are one type on 64-bit machines
    return KINDS[declared]


def test_the_version_is_the_pinned_one():
    assert native.ENGINE_VERSION == "50.0.1"


@pytest.mark.parametrize("name", USES)
def test_every_name_is_there(name):
    assert hasattr(_bindings, name)


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_every_signature_is_the_one_that_is_called(name):
    function = getattr(_bindings, "_" + name)
    found = (function.restype, *function.argtypes)
    wanted = tuple("u64" if item is SIZE else item for item in SIGNATURES[name])
    assert tuple(map(kind, found)) == wanted


def test_the_table_of_signatures_is_whole():
    assert {name for name in USES if "pooling" not in name} == set(SIGNATURES)


def test_the_structures_have_the_layout_that_is_read():
    assert ctypes.sizeof(_bindings.wasmtime_val_raw_t) == 16
    assert {"i32", "i64"} <= {field[0] for field in _bindings.wasmtime_val_raw_t._fields_}
    assert [field[0] for field in _bindings.wasmtime_extern_t._fields_] == ["kind", "of"]
    assert {"func", "memory"} <= {
        field[0] for field in dict(_bindings.wasmtime_extern_t._fields_)["of"]._fields_
    }
    assert (_ffi.WASMTIME_EXTERN_FUNC.value, _ffi.WASMTIME_EXTERN_MEMORY.value) == (0, 3)


def test_errors_and_traps_can_be_made_from_pointers():
    assert callable(wasmtime.WasmtimeError._from_ptr)
    assert callable(wasmtime.Trap._from_ptr)


def test_what_stands_between_a_component_and_the_host_is_there():
    """edge_agent/engine/component/host_calls.py puts functions of its own in these places."""
    from wasmtime.component import _linker, _types

    from edge_agent.engine.component.host_calls import guard_components

    guard_components()
    for name in ("FUNCTIONS", "catch_exceptions", "func_impl"):
        assert hasattr(_linker, name)
    assert hasattr(_types, "case_test_cache")
    callback = _bindings.wasmtime_component_func_callback_t
    assert isinstance(_linker.func_impl, callback)
    assert len(callback._argtypes_) == 7
    add = inspect.getsource(_linker.LinkerInstance.add_func)
    assert "func_impl" in add  # it looks the name up when a function is added


def test_the_values_of_components_have_the_layout_that_is_read():
    fields = {field[0] for field in _bindings.wasmtime_component_val._fields_}
    assert fields == {"kind", "of"}
    union = dict(_bindings.wasmtime_component_valunion._fields_)
    assert {"string", "list", "record", "tuple", "variant", "option", "result"} <= union.keys()
    for name in ("string", "list", "record", "tuple"):
        assert [field[0] for field in union[name]._fields_] == ["size", "data"]
    assert union["variant"]._fields_[1][0] == union["result"]._fields_[1][0] == "val"
    kinds = [_ffi.WASMTIME_COMPONENT_STRING, _ffi.WASMTIME_COMPONENT_LIST]
    kinds += [_ffi.WASMTIME_COMPONENT_RECORD, _ffi.WASMTIME_COMPONENT_TUPLE]
    kinds += [_ffi.WASMTIME_COMPONENT_VARIANT, _ffi.WASMTIME_COMPONENT_OPTION]
    assert [kind.value for kind in (*kinds, _ffi.WASMTIME_COMPONENT_RESULT)] == [
        *(12, 13, 14, 15, 16, 18, 19)
    ]
