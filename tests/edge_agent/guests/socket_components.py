"""Components that would reach a network by sockets: each shows by its end what it was told."""

from __future__ import annotations

import wasmtime

from tests.edge_agent.guests.modules import Module

_TYPES = """
  (import "wasi:sockets/network@0.2.0" (instance $network
    (export "network" (type (sub resource)))
    (type $codes (enum "unknown" "access-denied" "not-supported" "invalid-argument"
      "out-of-memory" "timeout" "concurrency-conflict" "not-in-progress" "would-block"
      "invalid-state" "new-socket-limit" "address-not-bindable" "address-in-use"
      "remote-unreachable" "connection-refused" "connection-reset" "connection-aborted"
      "datagram-too-large" "name-unresolvable" "temporary-resolver-failure"
      "permanent-resolver-failure"))
    (export "error-code" (type (eq $codes)))
    (type $families (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type (eq $families)))
    (type $four (tuple u8 u8 u8 u8)) (export "ipv4-address" (type $four2 (eq $four)))
    (type $six (tuple u16 u16 u16 u16 u16 u16 u16 u16))
    (export "ipv6-address" (type $six2 (eq $six)))
    (type $socket4 (record (field "port" u16) (field "address" $four2)))
    (export "ipv4-socket-address" (type $socket42 (eq $socket4)))
    (type $socket6 (record (field "port" u16) (field "flow-info" u32) (field "address" $six2)
      (field "scope-id" u32)))
    (export "ipv6-socket-address" (type $socket62 (eq $socket6)))
    (type $address (variant (case "ipv4" $socket42) (case "ipv6" $socket62)))
    (export "ip-socket-address" (type (eq $address)))))
  (alias export $network "network" (type $net))
  (alias export $network "error-code" (type $code))
  (alias export $network "ip-address-family" (type $family))
  (alias export $network "ip-socket-address" (type $address))
  (import "wasi:sockets/instance-network@0.2.0" (instance $instance
    (alias outer 1 $net (type $n)) (export "network" (type $n2 (eq $n)))
    (export "instance-network" (func (result (own $n2))))))
"""
_TCP = """
  (import "wasi:sockets/tcp@0.2.0" (instance $tcp
    (alias outer 1 $net (type $n)) (export "network" (type $n2 (eq $n)))
    (alias outer 1 $code (type $c)) (export "error-code" (type $c2 (eq $c)))
    (alias outer 1 $address (type $a)) (export "ip-socket-address" (type $a2 (eq $a)))
    (export "tcp-socket" (type $socket (sub resource)))
    (export "[method]tcp-socket.start-bind" (func (param "self" (borrow $socket))
      (param "network" (borrow $n2)) (param "local-address" $a2) (result (result (error $c2)))))
    (export "[method]tcp-socket.start-connect" (func (param "self" (borrow $socket))
      (param "network" (borrow $n2)) (param "remote-address" $a2)
      (result (result (error $c2)))))))
  (alias export $tcp "tcp-socket" (type $socket))
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create
    (alias outer 1 $code (type $c)) (export "error-code" (type $c2 (eq $c)))
    (alias outer 1 $family (type $f)) (export "ip-address-family" (type $f2 (eq $f)))
    (alias outer 1 $socket (type $s)) (export "tcp-socket" (type $s2 (eq $s)))
    (export "create-tcp-socket" (func (param "address-family" $f2)
      (result (result (own $s2) (error $c2)))))))
"""
_LOOKUP = """
  (import "wasi:sockets/ip-name-lookup@0.2.0" (instance $lookup
    (alias outer 1 $net (type $n)) (export "network" (type $n2 (eq $n)))
    (alias outer 1 $code (type $c)) (export "error-code" (type $c2 (eq $c)))
    (export "resolve-address-stream" (type $stream (sub resource)))
    (export "resolve-addresses" (func (param "network" (borrow $n2)) (param "name" string)
      (result (result (own $stream) (error $c2)))))))
"""
ACCESS_DENIED = 1
_END = """
  (core instance $i (instantiate $m (with "host" (instance $host))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $x (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $x)))"""
_MEMORY = """
  (core module $memory (memory (export "memory") 1)) (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (core func $network (canon lower (func $instance "instance-network")))
"""
# Traps unless the operation at 64 was denied; whatever the creation of the socket came to.
_UNLESS_DENIED = f"""
  (if (i32.eqz (i32.load8_u (i32.const 64))) (then unreachable))
  (if (i32.ne (i32.load8_u (i32.const 65)) (i32.const {ACCESS_DENIED})) (then unreachable))
  (i32.const 0)"""


def reaching(operation, address, port):
    """A component whose TCP socket tries ``start-bind`` or ``start-connect``; traps if it may."""
    numbers = " ".join(f"(i32.const {part})" for part in (port, *address))
    rest = "(i32.const 0) " * 6
    return Module(
        bytes(
            wasmtime.wat2wasm(f"""(component {_TYPES} {_TCP} {_MEMORY}
      (core func $create (canon lower (func $create "create-tcp-socket") (memory $mem)))
      (core func $try (canon lower (func $tcp "[method]tcp-socket.{operation}") (memory $mem)))
      (core instance $host (export "memory" (memory $mem)) (export "network" (func $network))
        (export "create" (func $create)) (export "try" (func $try)))
      (core module $m
        (import "host" "memory" (memory 1))
        (import "host" "network" (func $network (result i32)))
        (import "host" "create" (func $create (param i32 i32)))
        (import "host" "try" (func $try (param i32 i32 i32
          i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
        (func (export "run") (result i32)
          (call $create (i32.const 0) (i32.const 0))
          (if (i32.load8_u (i32.const 0)) (then (return (i32.const 0))))
          (call $try (i32.load (i32.const 4)) (call $network) (i32.const 0) {numbers} {rest}
            (i32.const 64))
          {_UNLESS_DENIED}))
      {_END}""")
        )
    )


def looking_up(name):
    """A component that asks for the addresses of a name; traps if it may."""
    return Module(
        bytes(
            wasmtime.wat2wasm(f"""(component {_TYPES} {_LOOKUP} {_MEMORY}
      (core func $ask (canon lower (func $lookup "resolve-addresses") (memory $mem)))
      (core instance $host (export "memory" (memory $mem)) (export "network" (func $network))
        (export "ask" (func $ask)))
      (core module $m
        (import "host" "memory" (memory 1))
        (import "host" "network" (func $network (result i32)))
        (import "host" "ask" (func $ask (param i32 i32 i32 i32)))
        (data (i32.const 1024) "{name}")
        (func (export "run") (result i32)
          (call $ask (call $network) (i32.const 1024) (i32.const {len(name)}) (i32.const 64))
          (if (i32.eqz (i32.load8_u (i32.const 64))) (then unreachable))
          (i32.const 0)))
      {_END}""")
        )
    )
