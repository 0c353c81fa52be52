//! Records aggregated: grouped, summed, merged, ranked, compared.
//!
//! Each function is one tool and answers as the Python server of the same name
//! does (public repository ddps-lab/EdgeAgent, `servers/data_aggregate_server.py`,
//! read for its behaviour). Where that server fails by an exception, these
//! functions return a [`DataError`].

mod aggregate;
mod deduplicate;
mod double;
mod error;
mod merge;
mod number;
mod order;
mod research;
mod stats;
mod tally;
mod trends;

pub use aggregate::{aggregate_list, aggregation_notes, Aggregation};
pub use deduplicate::{deduplicate, Keep};
pub use error::DataError;
pub use merge::{merge_summaries, merging_notes};
pub use research::{combine_research_results, ResearchFields};
pub use trends::{compute_trends, series_note};
