"""What the data tools answer, said in Python: the language decides every detail."""

import json
import statistics
from collections import Counter


def number(value):
    if isinstance(value, str):
        try:
            return float(value.replace(",", ""))
        except ValueError:
            return None
    return float(value) if isinstance(value, int | float) else None


def numbers(records, field):
    found = (number(record.get(field)) for record in records)
    return [value for value in found if value is not None]


def stats(values):
    if not values:
        return {"count": 0}
    found = {
        "count": len(values),
        "sum": sum(values),
        "min": min(values),
        "max": max(values),
        "mean": statistics.mean(values),
        "median": statistics.median(values),
    }
    return found if len(values) == 1 else found | {"stdev": statistics.stdev(values)}


def aggregate_list(items, group_by=None, count_field=None, sum_fields=None):
    if not items:
        return {"total_count": 0, "groups": {}}
    size = len(json.dumps(items))
    result = {"total_count": len(items), "input_size_estimate": size}

    def texts(field):
        return Counter(str(item.get(field, "unknown")) for item in items)

    if group_by:
        groups = texts(group_by)
        result |= {"group_by": group_by, "groups": dict(groups), "group_count": len(groups)}
    if count_field:
        result |= {"count_by": count_field, "counts": dict(texts(count_field).most_common(20))}
    if sum_fields:
        result["field_stats"] = {field: stats(numbers(items, field)) for field in sum_fields}
    output = len(json.dumps(result))
    return result | {"output_size_estimate": output, "reduction_ratio": output / size}


def merge_summaries(summaries, weights=None):
    if not summaries:
        return {"merged_count": 0}
    if weights is None:
        weights = [1.0] * len(summaries)
    keys = list(dict.fromkeys(key for summary in summaries for key in summary))
    merged = {"merged_count": len(summaries), "source_keys": keys}
    for key in keys:
        merge_key(
            merged, key, [(s[key], w) for s, w in zip(summaries, weights, strict=False) if key in s]
        )
    return merged


def merge_key(merged, key, weighed):
    values, value_weights = [], []
    for value, weight in weighed:
        if isinstance(value, dict):
            sums = merged.setdefault(key, {})
            for name, part in value.items():
                if isinstance(part, int | float):
                    # Where the answer has another use for the key this fails, as it should.
                    sums[name] = sums.get(name, 0.0) + part * weight
        elif isinstance(value, list):
            values += value
        elif isinstance(value, int | float):
            values.append(value)
            value_weights.append(weight)
    if not values or not all(isinstance(value, int | float) for value in values):
        return
    if (whole := sum(value_weights)) > 0:
        pairs = zip(values, value_weights, strict=False)
        merged[f"{key}_weighted_avg"] = sum(v * w for v, w in pairs) / whole
    merged[f"{key}_total"] = sum(values)


def combine_research_results(
    results, title_field="title", summary_field="summary", score_field="relevance_score"
):
    if not results:
        return {"result_count": 0, "combined_summary": ""}
    ranked = results
    if score_field:
        ranked = sorted(results, key=lambda r: number(r.get(score_field, 0)) or 0, reverse=True)
    items = []
    for rank, result in enumerate(ranked, 1):
        item = {
            "rank": rank,
            "title": result.get(title_field, f"Result {rank}"),
            "summary": result.get(summary_field, ""),
        }
        if score_field and score_field in result:
            item["score"] = result[score_field]
        items.append(item)
    text = "\n\n".join(f"[{i['rank']}] {i['title']}\n{i['summary']}" for i in items)
    return {
        "result_count": len(results),
        "items": items,
        "combined_text": text,
        "input_size": sum(map(len, map(json.dumps, results))),
        "output_size": len(text),
    }


def deduplicate(items, key_fields, keep="first"):
    """As docs/differences.md has it: the original drops records without a value in a key field."""
    if keep not in ("first", "last") or not key_fields:
        raise ValueError("nothing tells which records stay")
    if not items:
        return {"original_count": 0, "unique_count": 0, "items": []}
    chosen = {}
    for place, item in enumerate(items):
        whole = all(item.get(field) is not None for field in key_fields)
        key = tuple(str(item[field]) for field in key_fields) if whole else place
        if key not in chosen or keep == "last":
            chosen[key] = item
    unique = list(chosen.values())
    return {
        "original_count": len(items),
        "unique_count": len(unique),
        "duplicates_removed": len(items) - len(unique),
        "key_fields": key_fields,
        "items": unique,
    }


def compute_trends(time_series, time_field="timestamp", value_field="value", bucket_count=10):
    values = numbers(time_series, value_field)
    if len(values) < 2:
        return {"data_points": len(values), "trend": "insufficient_data"}
    half = len(values) // 2
    first, second = statistics.mean(values[:half]), statistics.mean(values[half:])
    rises, falls = second > first * 1.1, second < first * 0.9
    return {
        "data_points": len(values),
        "trend": "increasing" if rises else "decreasing" if falls else "stable",
        "stats": stats(values),
        "first_half_avg": first,
        "second_half_avg": second,
        "change_percent": (second - first) / first * 100 if first else 0,
    }
