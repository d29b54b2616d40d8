"""What the cosines of a model are worth, found by asking it: one model's best is another's least."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from statistics import median

from documents.embedding.interface import Curve, Kind, Nearness

#: Questions, each with a passage that answers it in other words; no passage answers another question.
PROBES = (
    ("Why is my phone empty by noon?", "A battery loses capacity with age and then lasts a few hours only."),
    ("Who was the first man on the moon?", "In July 1969 Neil Armstrong stepped on to the lunar surface."),
    ("What can I cook without meat?", "Lentils, beans and chickpeas make hearty vegetarian meals."),
    ("How do I get a stain of wine out of a shirt?", "Sprinkle salt on the spilled Bordeaux and wash the fabric cold."),
    ("Is it dangerous to swim after lunch?", "Bathing on a full stomach has never been shown to do harm."),
    ("晚上睡不着有什么办法？", "失眠的人应固定作息，睡前不看屏幕，少喝咖啡。"),
    ("长城有多长？", "这道古代防御工程全长两万一千多公里。"),
    ("小孩几岁开始上学？", "年满六周岁的儿童应当入读小学一年级。"),
    ("车胎没气了能自己修吗？", "用补胎工具把钉子拔出，塞入胶条，再打足气压即可。"),
    ("怎样学好一门外语？", "每天坚持听说读写，多与母语者交谈，词汇量自然增长。"),
)
#: So much farther than the answers of the probes, above texts that have nothing to do with each other, is the top of
#: the scale: a passage that answers in the question's own words is nearer than they are. A choice, as is LEAST.
BEYOND = 1.5
#: A model that tells answers from other texts by less than this is taken at its cosines.
LEAST = 0.02
#: What vectors count in hybrid search: with e5 no set of docs/retrieval.md is worse than by words or vectors alone.
WEIGHT = 0.4
#: What scores say of a KB, by e5: see docs/retrieval.md, "When to do without".
HYBRID = Curve(base=-5.7, best=3.8, lead=27.9, usual=0.25)
VECTOR = Curve(base=-7.3, best=4.6, lead=18.3, usual=0.55)


def measured(embed: Callable[[Sequence[str], Kind], Sequence[array[float]]]) -> Nearness:
    """Measure the scale of a model by two requests of ten short texts.

    Raises:
      TaskError: what `embed` raises.
    """
    questions = embed([question for question, _ in PROBES], "query")
    passages = embed([passage for _, passage in PROBES], "document")
    answers = median(map(_cosine, questions, passages))
    others = median(
        _cosine(question, passage)
        for number, question in enumerate(questions)
        for other, passage in enumerate(passages)
        if number != other
    )
    if answers - others < LEAST:
        return Nearness(0.0, 1.0, WEIGHT, HYBRID, VECTOR)
    return Nearness(others, min(1.0, others + BEYOND * (answers - others)), WEIGHT, HYBRID, VECTOR)


def _cosine(one: array[float], other: array[float]) -> float:
    return sum(map(float.__mul__, one, other))
