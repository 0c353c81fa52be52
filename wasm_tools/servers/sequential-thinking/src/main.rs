//! The MCP server `sequential-thinking`: one tool that keeps count of a model's thoughts.
//!
//! Answers as the public server of the same name does, whose history lives as long as its
//! process: here that is one instance, which the host keeps for one MCP session.

mod coerce;
mod history;

use std::sync::{Mutex, PoisonError};

use coerce::{Flag, Ordinal};
use history::{History, Thought};
use wasmmcp::{tool, Output, ToolError};

static HISTORY: Mutex<History> = Mutex::new(History::new());

/// Where the chain of thoughts stands.
#[derive(Output)]
#[wasmmcp(rename_all = "camelCase")]
struct Standing {
    thought_number: i64,
    total_thoughts: i64,
    next_thought_needed: bool,
    /// The branches so far.
    branches: Vec<String>,
    /// How many thoughts this session has recorded.
    thought_history_length: i64,
}

/// Think through a problem step by step, one call per thought.
///
/// For problems whose extent isn't clear at the start: planning, analysis that may have to change
/// course, anything that takes several steps and must keep its context. Start with a guess of how
/// many thoughts it will take and change it at any time, also past what looked like the end. A
/// thought may revise an earlier one (isRevision, revisesThought) or start another line from it
/// (branchFromThought with a branchId). State doubts, form a hypothesis, check it against the
/// thoughts so far, and repeat until the answer holds. Set nextThoughtNeeded to false only then.
///
/// The thoughts of one session are counted together; another session never sees them.
#[tool(
    title = "Sequential Thinking",
    read_only,
    destructive = false,
    open_world = false,
    rename_all = "camelCase"
)]
fn sequentialthinking(
    /// The present step: an analysis, a revision, a question, a hypothesis or its check.
    thought: String,
    /// Whether another thought follows.
    next_thought_needed: Flag,
    /// The number of this thought, from 1; may go past totalThoughts.
    thought_number: Ordinal,
    /// How many thoughts it will take, as far as known now.
    total_thoughts: Ordinal,
    /// Whether this thought revises an earlier one.
    #[no_null]
    is_revision: Option<Flag>,
    /// The number of the thought that is revised.
    #[no_null]
    revises_thought: Option<Ordinal>,
    /// The number of the thought where the branch starts.
    #[no_null]
    branch_from_thought: Option<Ordinal>,
    /// The name of the branch that this thought belongs to.
    #[no_null]
    branch_id: Option<String>,
    /// Whether more thoughts turned out to be needed at the end.
    #[no_null]
    needs_more_thoughts: Option<Flag>,
) -> Result<Standing, ToolError> {
    // Nothing in the answer depends on these; the model writes them for itself.
    let _ = (thought, is_revision, revises_thought, needs_more_thoughts);
    let branch = branch_from_thought.and(branch_id);
    let mut history = HISTORY.lock().unwrap_or_else(PoisonError::into_inner);
    history
        .record(Thought { branch })
        .map_err(|reason| ToolError::new(failure(&reason)))?;
    Ok(Standing {
        thought_number: thought_number.0,
        total_thoughts: total_thoughts.0.max(thought_number.0),
        next_thought_needed: next_thought_needed.0,
        branches: history.branches(),
        thought_history_length: i64::try_from(history.len()).unwrap_or(i64::MAX),
    })
}

/// The text of a failure in the form of the public server.
fn failure(reason: &str) -> String {
    let failed = wasmmcp::json!({"error": reason, "status": "failed"});
    format!("{failed:#}")
}

wasmmcp::server! {
    name: "sequential-thinking",
    state: session,
    like: javascript,
    tools: [sequentialthinking],
}
