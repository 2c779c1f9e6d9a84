//! The command line of `cleave record`.

use std::path::PathBuf;

use clap::Subcommand;

use super::DEFAULT_OUT;

/// `cleave record`.
#[derive(Subcommand)]
pub enum RecordCommand {
    /// Read a record to its end, and report what it holds and whether it is complete and valid.
    #[command(
        after_help = "Examples:\n  cleave record check last\n  cleave record check runs/20261126-101500-a7f3"
    )]
    Check {
        /// A run: `last`, its id, the end of its id, a label, or its folder.
        run: String,
        /// Folder that holds the runs.
        #[arg(long, default_value = DEFAULT_OUT, env = "CLEAVE_OUT")]
        out: PathBuf,
    },
    /// Export a run's figures as OpenMetrics with timestamps, for import into Prometheus.
    #[command(
        after_help = "Examples:\n  cleave record export last --to run.om\n  promtool tsdb create-blocks-from openmetrics run.om data"
    )]
    Export {
        /// A run: `last`, its id, the end of its id, a label, or its folder.
        run: String,
        /// Output file [default: stdout].
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// Folder that holds the runs.
        #[arg(long, default_value = DEFAULT_OUT, env = "CLEAVE_OUT")]
        out: PathBuf,
    },
}
