"""The data tools against Python on what is easy to get wrong."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws import examples
from tests.wasm_tools.logs_and_data import reference_data as reference
from tests.wasm_tools.logs_and_data.harness import ToolFailed, check

ODD_VALUES = [
    None, True, False, 0, -1, 2**53, 2**63 - 1, -(2**63), 2**64 - 1, 0.0, -0.0, 1.0, 1e15, 1e16, 1e-4, 1e-5, 0.1,
    5e-324, 1.7976931348623157e308, 123456789.125, "", "x", "3,000", ",", " 1 ", "1_000", "1__0", "+.5", "5.", ".",
    "1e5", "0x10", "\u0661\u0662\u066b\u0663", "\u0661\u0662", "½", "-", "\u0661,\u0662", "é日😀", 'a"b', "it's", "both ' and \"", "tab\tnew\nline\x00\x7f",
    "\u2028\u200b\u00ad", [], [1, "a", None], {}, {"k": [True, {"x": 1.0}]}, "unknown", "None", "1", "True",
]  # fmt: skip


@pytest.mark.parametrize("value", ODD_VALUES, ids=range(len(ODD_VALUES)))
def test_one_value_in_every_tool(data, value):
    items = [{"f": value, "g": 1}, {"g": 2}, {"f": value}]
    everything = {"items": items, "group_by": "f", "count_field": "f", "sum_fields": ["f", "g"]}
    check(data, "aggregate_list", everything, reference.aggregate_list)
    check(data, "deduplicate", {"items": items, "key_fields": ["f"]}, reference.deduplicate)
    check(data, "merge_summaries", {"summaries": items}, reference.merge_summaries)
    results = [
        {"title": value, "summary": "s", "score": 0.5},
        {"title": "t", "summary": value, "score": value},
    ]
    ranked = {"results": results, "score_field": "score"}
    check(data, "combine_research_results", ranked, reference.combine_research_results)
    series = [{"value": 1}, {"value": value}, {"value": 3}, {"v": 2}]
    check(data, "compute_trends", {"time_series": series}, reference.compute_trends)


def numbers(*values):
    return [{"v": value} for value in values]


@pytest.mark.parametrize(
    "items",
    [
        numbers(1e16, 1, -1e16),
        numbers(1e16, 1e16 + 2),
        numbers(0.1, 0.2, 0.3),
        numbers(1e308, 1e308),
        numbers(1.7e308, -1.7e308),
        numbers(1e200, -1e200, 0),
        numbers(1e-200, 3e-200),
        numbers(5, 5, 5),
        numbers(-0.0),
        numbers(0.0, 0.01, -0.0),
        numbers(-8.3, 48.0, 48.0, 48.0),
        numbers(2, 1),
        numbers(True, "1", 1.0),
        numbers("inf"),
        numbers("nan"),
        numbers("inf", 1),
        numbers("nan", "nan"),
        numbers("1e999"),
        numbers("9" * 400),
        numbers("x", None, [], {}),
        numbers(*range(1000)),
        numbers(*(0.1 * n for n in range(500)), 1e15),
    ],
)
def test_statistics(data, items):
    check(data, "aggregate_list", {"items": items, "sum_fields": ["v"]}, reference.aggregate_list)
    check(
        data, "compute_trends", {"time_series": items, "value_field": "v"}, reference.compute_trends
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"items": [{}], "group_by": "", "count_field": "", "sum_fields": []},
        {"items": [{"a": 1}], "group_by": None, "count_field": None, "sum_fields": None},
        {"items": [{"a": n % 30} for n in range(100)], "count_field": "a"},
        {"items": [{"a": n % 30} for n in range(100)], "group_by": "a"},
        {
            "items": [{"a": 1}, {"a": "1"}, {"a": 1.0}, {"a": True}],
            "group_by": "a",
            "count_field": "a",
        },
        {"items": [{"a": "b"}, {"a": "c"}, {"a": "c"}, {"a": "b"}], "count_field": "a"},
        {"items": [{"a": 1}], "sum_fields": ["a", "a", "b"]},
        {"items": [{"": 1, "é": {"日": []}}], "group_by": "é"},
        {"items": [{}, {}, {}]},
    ],
)
def test_aggregation(data, arguments):
    check(data, "aggregate_list", arguments, reference.aggregate_list)


def test_sizes_are_those_of_pythons_json(data):
    items = [{"name": "é😀\x7f", "v": [1, 2.0, None, True], "big": 1e22}]
    found = data.call("aggregate_list", {"items": items})
    # len(json.dumps(items)): escapes of 6 for é, 12 for the smiley, 6 for DEL.
    assert found["input_size_estimate"] == 79
    assert found["output_size_estimate"] == len('{"total_count": 1, "input_size_estimate": 79}')


@pytest.mark.parametrize(
    ("summaries", "weights"),
    [
        ([{"a": 1}, {"a": 2}], [1, 3]),
        ([{"a": 1}, {"a": 2}], [0, 0]),
        ([{"a": 1}, {"a": 2}], [-1, 0.5]),
        ([{"a": 1}, {"a": 2}, {"b": 3}], [2.0]),
        ([{"a": 1}, {"a": 2}], []),
        ([{"a": 1}], [1, 2, 3]),
        ([{"a": [10, 20]}, {"a": 1}, {"a": 2}], [5, 1, 3]),
        ([{"a": [1, "x"]}, {"a": 1}], None),
        ([{"a": []}, {"a": "text"}, {"a": None}], None),
        ([{"a": [True, 2.5]}], None),
        ([{"o": {"x": 1, "t": True, "s": "s", "n": None}}, {"o": {"x": 2.5}}], [2, 0.5]),
        ([{"o": {}}, {"o": {"s": "s"}}], None),
        ([{"o": {"x": 1}}, {"o": 5}, {"o": [6]}], None),
        ([{"merged_count": 5, "source_keys": [1]}], None),
        ([{"merged_count": {"x": 1}}], None),
        ([{"source_keys": {"x": 1}}], None),
        ([{"source_keys": {"x": "s"}}], None),
        ([{"a": 1, "a_total": {"x": 1}}], None),
        ([{"a_total": {"x": 1}, "a": 1}], None),
        ([{"a": 2**60}, {"a": 1}, {"a": -(2**60)}], None),
        ([{"a": 1e308}, {"a": 1e308}], None),
        ([{}, {}], None),
        ([{"a": 0.1}] * 10, None),
    ],
)
def test_merging(data, summaries, weights):
    arguments = {"summaries": summaries, "weights": weights}
    check(data, "merge_summaries", arguments, reference.merge_summaries)


SCORED = [
    {"title": f"T{n}", "relevance_score": score}
    for n, score in enumerate([0.5, "0,9", None, 0.9, "x", -1, True, [], 0.5])
]


@pytest.mark.parametrize(
    "arguments",
    [
        {"results": SCORED},
        {"results": SCORED, "score_field": None},
        {"results": SCORED, "score_field": ""},
        {"results": SCORED, "score_field": "missing"},
        {"results": SCORED, "title_field": "url", "summary_field": "title"},
        {"results": [{}, {"summary": None}, {"title": {"a": 1.0}, "summary": ["x", True]}]},
        {"results": [{"s": score} for score in (1, "nan", 2)], "score_field": "s"},
        {"results": [{"s": score} for score in ("nan", 1, 2, 3)], "score_field": "s"},
        {"results": [{"s": score} for score in (1, 2, "nan", 0, 5)], "score_field": "s"},
        {"results": [{"s": score} for score in ("inf", "-inf", 0, "1e999")], "score_field": "s"},
        {"results": [{"title": "é😀", "summary": "a\nb"}]},
    ],
)
def test_research(data, arguments):
    check(data, "combine_research_results", arguments, reference.combine_research_results)


DOUBLES = [
    {"k": 1, "n": 0}, {"k": "1", "n": 1}, {"k": 1.0, "n": 2}, {"n": 3}, {"k": "", "n": 4}, {"k": None, "n": 5},
    {"k": "None", "n": 6}, {"k": {"a": 1}, "n": 7}, {"k": "{'a': 1}", "n": 8}, {"k": True, "n": 9}, {"k": 1, "n": 10},
]  # fmt: skip


@pytest.mark.parametrize("keep", ["first", "last", "none", "First"])
@pytest.mark.parametrize("key_fields", [["k"], ["k", "n"], ["missing"], [], ["n", "n"]])
def test_deduplication(data, key_fields, keep):
    arguments = {"items": DOUBLES, "key_fields": key_fields, "keep": keep}
    check(data, "deduplicate", arguments, reference.deduplicate)


def test_no_record_is_dropped_in_silence(data):
    items = [{"k": 1}, {"n": 2}, {"n": 3}, {"k": None}, {"k": None}, {"k": 1}]
    found = data.call("deduplicate", {"items": items, "key_fields": ["k"]})
    assert found["items"] == items[:5]
    with pytest.raises(ToolFailed, match=r"keep.*first.*last"):
        data.call("deduplicate", {"items": items, "key_fields": ["k"], "keep": "none"})
    with pytest.raises(ToolFailed, match="key_fields: name at least one"):
        data.call("deduplicate", {"items": items, "key_fields": []})


@pytest.mark.parametrize(
    ("tool", "arguments", "note"),
    [
        ("aggregate_list", {"items": [{"v": "x"}, {"v": 1}, {}], "sum_fields": ["v"]}, "v: 1 of 3"),
        ("aggregate_list", {"items": numbers(*range(21)), "count_field": "v"}, "20 most .* of 21"),
        ("merge_summaries", {"summaries": [{"a": 1}, {"a": 2}], "weights": [1]}, "1 for 2"),
        ("merge_summaries", {"summaries": [{"a": 1, "t": "x"}, {"t": None}]}, "numbers: t"),
        ("compute_trends", {"time_series": numbers(1, "x", 2)}, "value: 3 of 3 points"),
    ],
)
def test_what_numbers_do_not_show_is_noted(data, tool, arguments, note):
    assert re.search(note, data.notes(tool, arguments)[0])
    whole = {"items": [{"v": 1}], "sum_fields": ["v"], "count_field": "v"}
    assert data.notes("aggregate_list", whole) == []


def test_keys_are_not_run_together(data):
    items = [{"a": "x', 'y", "b": "z"}, {"a": "x", "b": "y', 'z"}]
    assert data.call("deduplicate", {"items": items, "key_fields": ["a", "b"]})["unique_count"] == 2


@pytest.mark.parametrize(
    "values",
    [
        [1, 1.1], [1, 1.1000000000000003], [1, 0.9], [1, 0.8999999999999999], [0, 0], [0, 1], [0, -1], [-1, -1.05],
        [-1, -2], [-2, -1], [1, 2, 3], [3, 2, 1, "x", None], ["1,5", "2"], [5], [], [1e308, 1e-308], [1e-308, 1e308],
    ],
)  # fmt: skip
def test_trends(data, values):
    series = [{"value": value, "timestamp": n} for n, value in enumerate(values)]
    arguments = {"time_series": series, "bucket_count": 3}
    check(data, "compute_trends", arguments, reference.compute_trends)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("aggregate_list", {}),
        ("aggregate_list", {"items": [1]}),
        ("aggregate_list", {"items": [{}], "sum_fields": "v"}),
        ("deduplicate", {"items": []}),
        ("merge_summaries", {"summaries": [{}], "weights": ["x"]}),
        ("compute_trends", {"time_series": {}}),
    ],
)
def test_wrong_arguments_are_refused(data, tool, arguments):
    with pytest.raises(ToolFailed, match=r"items|sum_fields|key_fields|weights|time_series"):
        data.call(tool, arguments)


def test_what_cannot_be_answered_says_why(data):
    with pytest.raises(ToolFailed, match=r"source_keys.*rename"):
        data.call("merge_summaries", {"summaries": [{"source_keys": {"x": 1}}]})
    with pytest.raises(ToolFailed, match="finite"):
        data.call("aggregate_list", {"items": numbers("inf", 1), "sum_fields": ["v"]})


def test_many_keys_and_records_take_time_in_proportion(data):
    wide = {f"k{n}": n for n in range(20_000)}
    assert len(data.call("merge_summaries", {"summaries": [wide, wide]})["source_keys"]) == 20_000
    many = [{"a": n, "b": str(n % 1000)} for n in range(20_000)]
    assert data.call("deduplicate", {"items": many, "key_fields": ["b"]})["unique_count"] == 1000


# Floats far enough from the ends of their range that one rounding more or less shows in the 16th digit.
FLOATS = st.floats(-1e150, 1e150).filter(lambda x: x == 0 or abs(x) > 1e-140)
DECIMALS = st.integers(-(10**6), 10**6).map(lambda n: n / 100)


@examples(200)
@given(st.lists(DECIMALS | FLOATS, min_size=2, max_size=30))
def test_statistics_are_rounded_as_python_rounds_them(data, values):
    # To the last digit: the length of the answer, digits and all, is part of the answer.
    arguments = {"items": numbers(*values), "sum_fields": ["v"]}
    assert data.call("aggregate_list", arguments) == reference.aggregate_list(**arguments)


SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | FLOATS
    | st.sampled_from(["1,000", "2.5", "x", "", "nan", "inf", " 7 "]) | st.text(max_size=6)
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
FIELDS = st.sampled_from(["a", "b", "a_total", "title", "summary", "relevance_score", "value", "é"])
RECORDS = st.lists(st.dictionaries(FIELDS, VALUES, max_size=4), max_size=7)
MAYBE_FIELD = st.none() | FIELDS


@examples(120)
@given(RECORDS, MAYBE_FIELD, MAYBE_FIELD, st.none() | st.lists(FIELDS, max_size=2))
def test_any_records_are_aggregated_as_python_does(data, items, group_by, count_field, sum_fields):
    arguments = {
        "items": items,
        "group_by": group_by,
        "count_field": count_field,
        "sum_fields": sum_fields,
    }
    check(data, "aggregate_list", arguments, reference.aggregate_list)


@examples(100)
@given(RECORDS, st.none() | st.lists(st.floats(-100, 100), max_size=7))
def test_any_summaries_are_merged_as_python_does(data, summaries, weights):
    arguments = {"summaries": summaries, "weights": weights}
    check(data, "merge_summaries", arguments, reference.merge_summaries)


@examples(100)
@given(RECORDS, FIELDS, FIELDS, MAYBE_FIELD)
def test_any_results_are_ranked_as_python_does(data, results, title, summary, score):
    arguments = {
        "results": results,
        "title_field": title,
        "summary_field": summary,
        "score_field": score,
    }
    check(data, "combine_research_results", arguments, reference.combine_research_results)


@examples(100)
@given(RECORDS, st.lists(FIELDS, max_size=2), st.sampled_from(["first", "last"]), FIELDS)
def test_any_records_are_deduplicated_and_compared_as_python_does(
    data, items, keys, keep, value_field
):
    arguments = {"items": items, "key_fields": keys, "keep": keep}
    check(data, "deduplicate", arguments, reference.deduplicate)
    series = {"time_series": items, "value_field": value_field}
    check(data, "compute_trends", series, reference.compute_trends)
