from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SearchRequest(_message.Message):
    __slots__ = ("kbs", "query", "limit", "mode", "filter", "min_score", "per_document", "around", "rerank", "join")
    KBS_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    PER_DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    AROUND_FIELD_NUMBER: _ClassVar[int]
    RERANK_FIELD_NUMBER: _ClassVar[int]
    JOIN_FIELD_NUMBER: _ClassVar[int]
    kbs: _containers.RepeatedScalarFieldContainer[str]
    query: str
    limit: int
    mode: str
    filter: SearchFilter
    min_score: float
    per_document: int
    around: int
    rerank: bool
    join: bool
    def __init__(self, kbs: _Optional[_Iterable[str]] = ..., query: _Optional[str] = ..., limit: _Optional[int] = ..., mode: _Optional[str] = ..., filter: _Optional[_Union[SearchFilter, _Mapping]] = ..., min_score: _Optional[float] = ..., per_document: _Optional[int] = ..., around: _Optional[int] = ..., rerank: _Optional[bool] = ..., join: _Optional[bool] = ...) -> None: ...

class SearchFilter(_message.Message):
    __slots__ = ("documents", "metadata")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedScalarFieldContainer[str]
    metadata: _struct_pb2.Struct
    def __init__(self, documents: _Optional[_Iterable[str]] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("hits", "confidence", "degraded", "took_ms")
    HITS_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    TOOK_MS_FIELD_NUMBER: _ClassVar[int]
    hits: _containers.RepeatedCompositeFieldContainer[Hit]
    confidence: float
    degraded: Degraded
    took_ms: float
    def __init__(self, hits: _Optional[_Iterable[_Union[Hit, _Mapping]]] = ..., confidence: _Optional[float] = ..., degraded: _Optional[_Union[Degraded, _Mapping]] = ..., took_ms: _Optional[float] = ...) -> None: ...

class Hit(_message.Message):
    __slots__ = ("chunk_id", "text", "page", "heading_path", "context", "start", "end", "kb_id", "document_id", "chunk_ids", "score", "scores", "highlights", "before", "after")
    CHUNK_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    HEADING_PATH_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    KB_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CHUNK_IDS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    HIGHLIGHTS_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    chunk_id: str
    text: str
    page: int
    heading_path: _containers.RepeatedScalarFieldContainer[str]
    context: str
    start: int
    end: int
    kb_id: str
    document_id: str
    chunk_ids: _containers.RepeatedScalarFieldContainer[str]
    score: float
    scores: Scores
    highlights: _containers.RepeatedCompositeFieldContainer[Highlight]
    before: _containers.RepeatedCompositeFieldContainer[Chunk]
    after: _containers.RepeatedCompositeFieldContainer[Chunk]
    def __init__(self, chunk_id: _Optional[str] = ..., text: _Optional[str] = ..., page: _Optional[int] = ..., heading_path: _Optional[_Iterable[str]] = ..., context: _Optional[str] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., kb_id: _Optional[str] = ..., document_id: _Optional[str] = ..., chunk_ids: _Optional[_Iterable[str]] = ..., score: _Optional[float] = ..., scores: _Optional[_Union[Scores, _Mapping]] = ..., highlights: _Optional[_Iterable[_Union[Highlight, _Mapping]]] = ..., before: _Optional[_Iterable[_Union[Chunk, _Mapping]]] = ..., after: _Optional[_Iterable[_Union[Chunk, _Mapping]]] = ...) -> None: ...

class Scores(_message.Message):
    __slots__ = ("words", "vector", "rerank")
    WORDS_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    RERANK_FIELD_NUMBER: _ClassVar[int]
    words: float
    vector: float
    rerank: float
    def __init__(self, words: _Optional[float] = ..., vector: _Optional[float] = ..., rerank: _Optional[float] = ...) -> None: ...

class Highlight(_message.Message):
    __slots__ = ("start", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("chunk_id", "text", "page", "heading_path", "context", "start", "end")
    CHUNK_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    HEADING_PATH_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    chunk_id: str
    text: str
    page: int
    heading_path: _containers.RepeatedScalarFieldContainer[str]
    context: str
    start: int
    end: int
    def __init__(self, chunk_id: _Optional[str] = ..., text: _Optional[str] = ..., page: _Optional[int] = ..., heading_path: _Optional[_Iterable[str]] = ..., context: _Optional[str] = ..., start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class Degraded(_message.Message):
    __slots__ = ("without", "reason", "detail")
    WITHOUT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    without: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    detail: str
    def __init__(self, without: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...
