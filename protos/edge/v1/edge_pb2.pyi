from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATUS_UNSPECIFIED: _ClassVar[Status]
    STATUS_DONE: _ClassVar[Status]
    STATUS_REFUSED: _ClassVar[Status]
    STATUS_TIMEOUT: _ClassVar[Status]
    STATUS_MEMORY: _ClassVar[Status]
    STATUS_OUTPUT: _ClassVar[Status]
    STATUS_TRAP: _ClassVar[Status]
    STATUS_CANCELLED: _ClassVar[Status]
    STATUS_UNAVAILABLE: _ClassVar[Status]
    STATUS_PROTOCOL: _ClassVar[Status]
    STATUS_LIMIT: _ClassVar[Status]
STATUS_UNSPECIFIED: Status
STATUS_DONE: Status
STATUS_REFUSED: Status
STATUS_TIMEOUT: Status
STATUS_MEMORY: Status
STATUS_OUTPUT: Status
STATUS_TRAP: Status
STATUS_CANCELLED: Status
STATUS_UNAVAILABLE: Status
STATUS_PROTOCOL: Status
STATUS_LIMIT: Status

class AttachRequest(_message.Message):
    __slots__ = ("register", "heartbeat", "result", "progress", "log", "chunk", "draining", "question", "resource_updated", "pong")
    REGISTER_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_UPDATED_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    register: Register
    heartbeat: Heartbeat
    result: Result
    progress: Progress
    log: Log
    chunk: Chunk
    draining: Draining
    question: Question
    resource_updated: ResourceUpdated
    pong: Ping
    def __init__(self, register: _Optional[_Union[Register, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., result: _Optional[_Union[Result, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., log: _Optional[_Union[Log, _Mapping]] = ..., chunk: _Optional[_Union[Chunk, _Mapping]] = ..., draining: _Optional[_Union[Draining, _Mapping]] = ..., question: _Optional[_Union[Question, _Mapping]] = ..., resource_updated: _Optional[_Union[ResourceUpdated, _Mapping]] = ..., pong: _Optional[_Union[Ping, _Mapping]] = ...) -> None: ...

class AttachResponse(_message.Message):
    __slots__ = ("welcome", "call", "cancel", "drain", "chunk", "ack", "prefetch", "answer", "sessions_ended", "ping")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    PREFETCH_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_ENDED_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    call: Call
    cancel: Cancel
    drain: Drain
    chunk: Chunk
    ack: Ack
    prefetch: Prefetch
    answer: Answer
    sessions_ended: SessionsEnded
    ping: Ping
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., call: _Optional[_Union[Call, _Mapping]] = ..., cancel: _Optional[_Union[Cancel, _Mapping]] = ..., drain: _Optional[_Union[Drain, _Mapping]] = ..., chunk: _Optional[_Union[Chunk, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., prefetch: _Optional[_Union[Prefetch, _Mapping]] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ..., sessions_ended: _Optional[_Union[SessionsEnded, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ...) -> None: ...

class Register(_message.Message):
    __slots__ = ("node", "instance", "agent_version", "capabilities", "load")
    NODE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    AGENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    node: str
    instance: str
    agent_version: str
    capabilities: Capabilities
    load: Heartbeat
    def __init__(self, node: _Optional[str] = ..., instance: _Optional[str] = ..., agent_version: _Optional[str] = ..., capabilities: _Optional[_Union[Capabilities, _Mapping]] = ..., load: _Optional[_Union[Heartbeat, _Mapping]] = ...) -> None: ...

class Capabilities(_message.Message):
    __slots__ = ("isa", "cores", "memory_mib", "slots", "speed", "features", "mounts", "backends", "tier", "site", "engine", "labels", "servers", "integer_speed", "memory_mib_s", "egress")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ISA_FIELD_NUMBER: _ClassVar[int]
    CORES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_MIB_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    MOUNTS_FIELD_NUMBER: _ClassVar[int]
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    SITE_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    SERVERS_FIELD_NUMBER: _ClassVar[int]
    INTEGER_SPEED_FIELD_NUMBER: _ClassVar[int]
    MEMORY_MIB_S_FIELD_NUMBER: _ClassVar[int]
    EGRESS_FIELD_NUMBER: _ClassVar[int]
    isa: str
    cores: int
    memory_mib: int
    slots: int
    speed: float
    features: _containers.RepeatedScalarFieldContainer[str]
    mounts: _containers.RepeatedCompositeFieldContainer[Mount]
    backends: _containers.RepeatedScalarFieldContainer[str]
    tier: str
    site: str
    engine: str
    labels: _containers.ScalarMap[str, str]
    servers: _containers.RepeatedCompositeFieldContainer[Server]
    integer_speed: float
    memory_mib_s: float
    egress: _containers.RepeatedCompositeFieldContainer[Egress]
    def __init__(self, isa: _Optional[str] = ..., cores: _Optional[int] = ..., memory_mib: _Optional[int] = ..., slots: _Optional[int] = ..., speed: _Optional[float] = ..., features: _Optional[_Iterable[str]] = ..., mounts: _Optional[_Iterable[_Union[Mount, _Mapping]]] = ..., backends: _Optional[_Iterable[str]] = ..., tier: _Optional[str] = ..., site: _Optional[str] = ..., engine: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., servers: _Optional[_Iterable[_Union[Server, _Mapping]]] = ..., integer_speed: _Optional[float] = ..., memory_mib_s: _Optional[float] = ..., egress: _Optional[_Iterable[_Union[Egress, _Mapping]]] = ...) -> None: ...

class Egress(_message.Message):
    __slots__ = ("to", "tools")
    TO_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    to: str
    tools: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, to: _Optional[str] = ..., tools: _Optional[_Iterable[str]] = ...) -> None: ...

class Server(_message.Message):
    __slots__ = ("name", "backend", "version", "catalogue", "pending", "error", "slots", "validate", "state", "warnings", "words")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CATALOGUE_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    backend: str
    version: str
    catalogue: bytes
    pending: bool
    error: str
    slots: int
    validate: str
    state: str
    warnings: _containers.RepeatedScalarFieldContainer[str]
    words: str
    def __init__(self, name: _Optional[str] = ..., backend: _Optional[str] = ..., version: _Optional[str] = ..., catalogue: _Optional[bytes] = ..., pending: _Optional[bool] = ..., error: _Optional[str] = ..., slots: _Optional[int] = ..., validate: _Optional[str] = ..., state: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ..., words: _Optional[str] = ...) -> None: ...

class ResourceUpdated(_message.Message):
    __slots__ = ("server", "backend", "uri")
    SERVER_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    server: str
    backend: str
    uri: str
    def __init__(self, server: _Optional[str] = ..., backend: _Optional[str] = ..., uri: _Optional[str] = ...) -> None: ...

class SessionsEnded(_message.Message):
    __slots__ = ("sessions",)
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    sessions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, sessions: _Optional[_Iterable[str]] = ...) -> None: ...

class Mount(_message.Message):
    __slots__ = ("path", "readonly")
    PATH_FIELD_NUMBER: _ClassVar[int]
    READONLY_FIELD_NUMBER: _ClassVar[int]
    path: str
    readonly: bool
    def __init__(self, path: _Optional[str] = ..., readonly: _Optional[bool] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("running", "queued", "memory_free_mib", "queue_ms", "cpu_percent", "changed", "warm", "board", "preparing")
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FREE_MIB_FIELD_NUMBER: _ClassVar[int]
    QUEUE_MS_FIELD_NUMBER: _ClassVar[int]
    CPU_PERCENT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    WARM_FIELD_NUMBER: _ClassVar[int]
    BOARD_FIELD_NUMBER: _ClassVar[int]
    PREPARING_FIELD_NUMBER: _ClassVar[int]
    running: int
    queued: int
    memory_free_mib: int
    queue_ms: float
    cpu_percent: float
    changed: Capabilities
    warm: _containers.RepeatedScalarFieldContainer[str]
    board: Board
    preparing: _containers.RepeatedCompositeFieldContainer[Preparing]
    def __init__(self, running: _Optional[int] = ..., queued: _Optional[int] = ..., memory_free_mib: _Optional[int] = ..., queue_ms: _Optional[float] = ..., cpu_percent: _Optional[float] = ..., changed: _Optional[_Union[Capabilities, _Mapping]] = ..., warm: _Optional[_Iterable[str]] = ..., board: _Optional[_Union[Board, _Mapping]] = ..., preparing: _Optional[_Iterable[_Union[Preparing, _Mapping]]] = ...) -> None: ...

class Preparing(_message.Message):
    __slots__ = ("sha256", "since_ms")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    since_ms: float
    def __init__(self, sha256: _Optional[str] = ..., since_ms: _Optional[float] = ...) -> None: ...

class Board(_message.Message):
    __slots__ = ("temperature_c", "battery_percent", "states")
    TEMPERATURE_C_FIELD_NUMBER: _ClassVar[int]
    BATTERY_PERCENT_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    temperature_c: float
    battery_percent: float
    states: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, temperature_c: _Optional[float] = ..., battery_percent: _Optional[float] = ..., states: _Optional[_Iterable[str]] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("dispatcher_version", "heartbeat_ms", "modules")
    DISPATCHER_VERSION_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    MODULES_FIELD_NUMBER: _ClassVar[int]
    dispatcher_version: str
    heartbeat_ms: int
    modules: _containers.RepeatedCompositeFieldContainer[Module]
    def __init__(self, dispatcher_version: _Optional[str] = ..., heartbeat_ms: _Optional[int] = ..., modules: _Optional[_Iterable[_Union[Module, _Mapping]]] = ...) -> None: ...

class Prefetch(_message.Message):
    __slots__ = ("modules",)
    MODULES_FIELD_NUMBER: _ClassVar[int]
    modules: _containers.RepeatedCompositeFieldContainer[Module]
    def __init__(self, modules: _Optional[_Iterable[_Union[Module, _Mapping]]] = ...) -> None: ...

class Module(_message.Message):
    __slots__ = ("server", "sha256", "size_bytes")
    SERVER_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    server: str
    sha256: str
    size_bytes: int
    def __init__(self, server: _Optional[str] = ..., sha256: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("id", "server", "tool", "backend", "module", "arguments", "limits", "label", "data", "session", "wants_progress", "meta", "method", "client", "egress")
    ID_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    MODULE_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    WANTS_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    META_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    EGRESS_FIELD_NUMBER: _ClassVar[int]
    id: str
    server: str
    tool: str
    backend: str
    module: Module
    arguments: Payload
    limits: Limits
    label: Label
    data: _containers.RepeatedScalarFieldContainer[str]
    session: str
    wants_progress: bool
    meta: bytes
    method: str
    client: bytes
    egress: _containers.RepeatedCompositeFieldContainer[EgressGrant]
    def __init__(self, id: _Optional[str] = ..., server: _Optional[str] = ..., tool: _Optional[str] = ..., backend: _Optional[str] = ..., module: _Optional[_Union[Module, _Mapping]] = ..., arguments: _Optional[_Union[Payload, _Mapping]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., label: _Optional[_Union[Label, _Mapping]] = ..., data: _Optional[_Iterable[str]] = ..., session: _Optional[str] = ..., wants_progress: _Optional[bool] = ..., meta: _Optional[bytes] = ..., method: _Optional[str] = ..., client: _Optional[bytes] = ..., egress: _Optional[_Iterable[_Union[EgressGrant, _Mapping]]] = ...) -> None: ...

class EgressGrant(_message.Message):
    __slots__ = ("to",)
    TO_FIELD_NUMBER: _ClassVar[int]
    to: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, to: _Optional[_Iterable[str]] = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("privacy", "origin", "site")
    PRIVACY_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    SITE_FIELD_NUMBER: _ClassVar[int]
    privacy: str
    origin: str
    site: str
    def __init__(self, privacy: _Optional[str] = ..., origin: _Optional[str] = ..., site: _Optional[str] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("wall_ms", "memory_mib", "output_bytes", "log_bytes", "table_elements", "open_files", "disk_bytes", "host_calls")
    WALL_MS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_MIB_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_BYTES_FIELD_NUMBER: _ClassVar[int]
    LOG_BYTES_FIELD_NUMBER: _ClassVar[int]
    TABLE_ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    OPEN_FILES_FIELD_NUMBER: _ClassVar[int]
    DISK_BYTES_FIELD_NUMBER: _ClassVar[int]
    HOST_CALLS_FIELD_NUMBER: _ClassVar[int]
    wall_ms: int
    memory_mib: int
    output_bytes: int
    log_bytes: int
    table_elements: int
    open_files: int
    disk_bytes: int
    host_calls: int
    def __init__(self, wall_ms: _Optional[int] = ..., memory_mib: _Optional[int] = ..., output_bytes: _Optional[int] = ..., log_bytes: _Optional[int] = ..., table_elements: _Optional[int] = ..., open_files: _Optional[int] = ..., disk_bytes: _Optional[int] = ..., host_calls: _Optional[int] = ...) -> None: ...

class Payload(_message.Message):
    __slots__ = ("inline", "size_bytes")
    INLINE_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    inline: bytes
    size_bytes: int
    def __init__(self, inline: _Optional[bytes] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("call_id", "data")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    data: bytes
    def __init__(self, call_id: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("call_id", "status", "result", "message", "timings", "cold", "backend", "memory_peak_bytes", "reason", "session")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    COLD_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    MEMORY_PEAK_BYTES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    status: Status
    result: Payload
    message: str
    timings: Timings
    cold: bool
    backend: str
    memory_peak_bytes: int
    reason: str
    session: Session
    def __init__(self, call_id: _Optional[str] = ..., status: _Optional[_Union[Status, str]] = ..., result: _Optional[_Union[Payload, _Mapping]] = ..., message: _Optional[str] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ..., cold: _Optional[bool] = ..., backend: _Optional[str] = ..., memory_peak_bytes: _Optional[int] = ..., reason: _Optional[str] = ..., session: _Optional[_Union[Session, _Mapping]] = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("fresh", "lost")
    FRESH_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    fresh: bool
    lost: str
    def __init__(self, fresh: _Optional[bool] = ..., lost: _Optional[str] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("queue_ms", "start_ms", "exec_ms")
    QUEUE_MS_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    EXEC_MS_FIELD_NUMBER: _ClassVar[int]
    queue_ms: float
    start_ms: float
    exec_ms: float
    def __init__(self, queue_ms: _Optional[float] = ..., start_ms: _Optional[float] = ..., exec_ms: _Optional[float] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("call_id", "progress", "total", "message")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    progress: float
    total: float
    message: str
    def __init__(self, call_id: _Optional[str] = ..., progress: _Optional[float] = ..., total: _Optional[float] = ..., message: _Optional[str] = ...) -> None: ...

class Log(_message.Message):
    __slots__ = ("call_id", "level", "logger", "message")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    LOGGER_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    level: str
    logger: str
    message: str
    def __init__(self, call_id: _Optional[str] = ..., level: _Optional[str] = ..., logger: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ("call_id", "reason")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    reason: str
    def __init__(self, call_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("call_ids",)
    CALL_IDS_FIELD_NUMBER: _ClassVar[int]
    call_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, call_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Drain(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Draining(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Question(_message.Message):
    __slots__ = ("call_id", "id", "method", "params", "more", "withdrawn")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    id: str
    method: str
    params: bytes
    more: bool
    withdrawn: bool
    def __init__(self, call_id: _Optional[str] = ..., id: _Optional[str] = ..., method: _Optional[str] = ..., params: _Optional[bytes] = ..., more: _Optional[bool] = ..., withdrawn: _Optional[bool] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("call_id", "id", "body", "more")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    id: str
    body: bytes
    more: bool
    def __init__(self, call_id: _Optional[str] = ..., id: _Optional[str] = ..., body: _Optional[bytes] = ..., more: _Optional[bool] = ...) -> None: ...
