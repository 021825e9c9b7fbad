//! What a process has used so far, where the system tells (Linux's `/proc`).

use std::time::Duration;

use anyhow::Context;

/// Linux counts a process's CPU time in these, on every architecture that Rust runs on.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time and memory of a process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) cpu: Option<Duration>,
    pub(crate) peak_rss_mb: Option<f64>,
}

impl Usage {
    /// What this process has used so far; nothing where there is no `/proc`.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let folder = std::path::PathBuf::from(format!("/proc/{pid}"));
        if !folder
            .parent()
            .is_some_and(|proc| proc.join("self/stat").exists())
        {
            return Ok(Self::default());
        }
        let read =
            |name: &str| std::fs::read_to_string(folder.join(name)).context("the worker is gone");
        Ok(Self {
            cpu: cpu(&read("stat")?),
            peak_rss_mb: peak_rss_mb(&read("status")?),
        })
    }
}

/// `utime` and `stime` are the 14th and 15th field; the second may hold spaces and ends with `)`.
fn cpu(stat: &str) -> Option<Duration> {
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

fn peak_rss_mb(status: &str) -> Option<f64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1_024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_writes() {
        let stat = "7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 5 6 7";
        assert_eq!(cpu(stat), Some(Duration::from_secs(2)));
        let peak = peak_rss_mb("VmPeak:\t 9 kB\nVmHWM:\t  2048 kB\n").unwrap();
        assert!((peak - 2.0).abs() < f64::EPSILON);
    }
}
