//! Reading the texts of `/proc`. Pure: text in, figures out. Formats: proc(5), Documentation/accounting/psi.rst.

/// Time that all CPUs together spent, in ticks, as counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CpuTimes {
    pub(super) idle: u64,
    pub(super) iowait: u64,
    pub(super) total: u64,
    /// How many CPUs are online.
    pub(super) cpus: u64,
}

/// `/proc/stat`.
pub(super) fn cpu_times(text: &str) -> Option<CpuTimes> {
    let all = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks = all.split_ascii_whitespace().map(str::parse).collect::<Result<Vec<u64>, _>>().ok()?;
    let cpus = text.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count();
    Some(CpuTimes {
        idle: *ticks.get(3)?,
        iowait: ticks.get(4).copied().unwrap_or(0),
        // user nice system idle iowait irq softirq steal: guest times, which follow, are already in user and nice.
        total: ticks.iter().take(8).sum(),
        cpus: cpus as u64,
    })
}

/// Memory of the machine, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) total: u64,
    pub(super) available: u64,
    pub(super) swap_total: u64,
    pub(super) swap_free: u64,
}

/// `/proc/meminfo`.
pub(super) fn memory(text: &str) -> Option<Memory> {
    let bytes = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok().map(|kib| kib.saturating_mul(1024))
    };
    // Kernels before 3.14 lack MemAvailable; this is what `free` showed then.
    let available = bytes("MemAvailable").or_else(|| Some(bytes("MemFree")? + bytes("Buffers")? + bytes("Cached")?))?;
    Some(Memory {
        total: bytes("MemTotal")?,
        available,
        swap_total: bytes("SwapTotal").unwrap_or(0),
        swap_free: bytes("SwapFree").unwrap_or(0),
    })
}

/// `/proc/loadavg`: over 1, 5 and 15 minutes.
pub(super) fn load(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_ascii_whitespace().map(str::parse);
    Some([words.next()?.ok()?, words.next()?.ok()?, words.next()?.ok()?])
}

/// `/proc/uptime`: seconds since boot.
pub(super) fn uptime(text: &str) -> Option<f64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// One file of `/proc/pressure`: percent of time stalled, as (`some_avg10`, value).
pub(super) fn pressure(text: &str) -> Vec<(String, f64)> {
    let mut figures = Vec::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(share @ ("some" | "full")) = words.next() else { continue };
        for (window, value) in words.filter_map(|word| word.split_once('=')) {
            if let (true, Ok(value)) = (window.starts_with("avg"), value.parse()) {
                figures.push((format!("{share}_{window}"), value));
            }
        }
    }
    figures
}

/// Counters of one network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) received: Traffic,
    pub(super) sent: Traffic,
}

/// Counters of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) bytes: u64,
    pub(super) packets: u64,
    pub(super) errors: u64,
    pub(super) drops: Option<u64>,
}

/// `/proc/net/dev`. `None` where it is not that file.
pub(super) fn interfaces(text: &str) -> Option<Vec<Interface>> {
    let mut lines = text.lines();
    lines.next().filter(|head| head.contains("Receive"))?;
    lines.next()?;
    lines.map(interface).collect()
}

fn interface(line: &str) -> Option<Interface> {
    // The name may hold colons (an alias) and touch the first counter.
    let (name, counters) = line.rsplit_once(':')?;
    let counters = counters.split_ascii_whitespace().map(str::parse).collect::<Result<Vec<u64>, _>>().ok()?;
    let traffic = |first: usize| {
        let at = |index: usize| counters.get(first + index).copied();
        Some(Traffic { bytes: at(0)?, packets: at(1)?, errors: at(2)?, drops: at(3) })
    };
    Some(Interface { name: name.trim().to_string(), received: traffic(0)?, sent: traffic(8)? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cpu_times_count_guests_once() {
        let text = "cpu  10 1 5 100 7 1 2 3 4 5\ncpu0 5 0 2 50 3 0 1 1 2 2\ncpu1 5 1 3 50 4 1 1 2 2 3\nintr 1\n";
        assert_eq!(cpu_times(text), Some(CpuTimes { idle: 100, iowait: 7, total: 129, cpus: 2 }));
        assert_eq!(cpu_times("cpu  1 2 3 4\n"), Some(CpuTimes { idle: 4, iowait: 0, total: 10, cpus: 0 }));
        for bad in ["", "cpu ", "cpu  1 2 3", "cpu  a b c d e", "intr 1"] {
            assert_eq!(cpu_times(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn memory_is_in_bytes_and_old_kernels_lack_available() {
        let text = "MemTotal:  1000 kB\nMemFree: 100 kB\nMemAvailable: 600 kB\nBuffers: 50 kB\nCached: 200 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n";
        let expected = Memory { total: 1_024_000, available: 614_400, swap_total: 10_240, swap_free: 4_096 };
        assert_eq!(memory(text), Some(expected));
        let old = text.replace("MemAvailable: 600 kB\n", "");
        assert_eq!(memory(&old), Some(Memory { available: 350 * 1024, ..expected }));
        let no_swap = "MemTotal: 1 kB\nMemAvailable: 1 kB\n";
        assert_eq!(memory(no_swap), Some(Memory { total: 1024, available: 1024, swap_total: 0, swap_free: 0 }));
        assert_eq!(memory("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn load_and_uptime_are_the_first_words() {
        assert_eq!(load("0.10 1.25 2.00 1/234 5678\n"), Some([0.1, 1.25, 2.0]));
        assert_eq!(load("0.10 x"), None);
        assert_eq!(uptime("12345.67 99.0\n"), Some(12345.67));
        assert_eq!(uptime(""), None);
    }

    #[test]
    fn pressure_names_share_and_window() {
        let text =
            "some avg10=0.43 avg60=0.83 avg300=2.21 total=30786835\nfull avg10=0.00 avg60=0.00 avg300=0.10 total=0\n";
        let figures = pressure(text);
        let names: Vec<&str> = figures.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["some_avg10", "some_avg60", "some_avg300", "full_avg10", "full_avg60", "full_avg300"]);
        assert_eq!(figures[2].1, 2.21);
        assert!(pressure("odd avg10=1\n").is_empty());
    }

    #[test]
    fn interfaces_are_counters_in_both_directions() {
        let text = "Inter-|   Receive    |  Transmit\n face |bytes packets\n    lo: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\neth0:63726372 2150 0 0 0 0 0 0 153413 1265 0 1 0 0 0 0\n";
        let all = interfaces(text).unwrap();
        let traffic = |bytes, packets, errors, drops| Traffic { bytes, packets, errors, drops: Some(drops) };
        assert_eq!(all[0], Interface { name: "lo".into(), received: traffic(1, 2, 3, 4), sent: traffic(5, 6, 7, 8) });
        assert_eq!((all[1].name.as_str(), all[1].received.bytes, all[1].sent.drops), ("eth0", 63_726_372, Some(1)));
        assert_eq!(interfaces("nonsense"), None);
        assert_eq!(interfaces("Receive\nhead\neth0: 1 2\n"), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-zA-Z0-9:=. \n/-]{0,200}") {
            let _ = (cpu_times(&text), memory(&text), load(&text), uptime(&text), pressure(&text), interfaces(&text));
            let _ = interfaces(&format!("Receive\n\n{text}"));
        }
    }
}
