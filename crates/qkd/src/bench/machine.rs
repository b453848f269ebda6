//! What the figures were measured on.

use std::fs;

use serde::Serialize;

use super::fault::Fault;

/// This machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The processor's name for itself; `null` where the system does not say.
    pub cpu: Option<String>,
    /// Cores that this process may use.
    pub cores: usize,
    /// Instruction sets of the processor that matter here.
    pub features: Vec<&'static str>,
    /// The operating system and its version.
    pub os: String,
    /// The largest receive buffer that the system grants, bytes; `null` where it does not say.
    pub rmem_max: Option<u64>,
    /// Whether this program was built to be fast.
    pub optimised: bool,
}

impl Machine {
    /// The machine that this runs on.
    pub fn of_this() -> Self {
        Self {
            cpu: processor(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            features: features(),
            os: system(),
            rmem_max: number_in("/proc/sys/net/core/rmem_max"),
            optimised: !cfg!(debug_assertions),
        }
    }

    /// The same in a few words.
    pub fn line(&self) -> String {
        let cpu = self.cpu.as_deref().unwrap_or("a processor without a name");
        let features = self.features.join(" ");
        let cores = self.cores;
        format!("{cpu}, {cores} cores, {features}, {}", self.os)
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn number_in(path: &str) -> Option<u64> {
    read(path)?.trim().parse().ok()
}

fn processor() -> Option<String> {
    let text = read("/proc/cpuinfo")?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn system() -> String {
    let release = read("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{} {}", std::env::consts::OS, release.trim())
        .trim()
        .to_owned()
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ("bmi2", std::arch::is_x86_feature_detected!("bmi2")),
        ("aes", std::arch::is_x86_feature_detected!("aes")),
        ("vaes", std::arch::is_x86_feature_detected!("vaes")),
        (
            "pclmulqdq",
            std::arch::is_x86_feature_detected!("pclmulqdq"),
        ),
        (
            "vpclmulqdq",
            std::arch::is_x86_feature_detected!("vpclmulqdq"),
        ),
        ("sha", std::arch::is_x86_feature_detected!("sha")),
    ]
    .into_iter()
    .filter_map(|(name, there)| there.then_some(name))
    .collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<&'static str> {
    vec![std::env::consts::ARCH]
}

/// The last core that this process may use: the first one serves most interrupts.
#[cfg(target_os = "linux")]
pub fn last_core() -> usize {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let mine = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    let cores = 0..CpuSet::MAX_CPU;
    cores.rev().find(|&core| mine.is_set(core)).unwrap_or(0)
}

/// The last core that this process may use.
#[cfg(not(target_os = "linux"))]
pub fn last_core() -> usize {
    0
}

/// Ties this process to the last `count` cores that it may use, or to all when there are fewer.
///
/// # Errors
/// When the system refuses.
#[cfg(target_os = "linux")]
pub fn stay_on_cores(count: usize) -> Result<(), Fault> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let mine = sched_getaffinity(None).map_err(std::io::Error::from);
    let mine = mine.map_err(Fault::io("see which cores there are"))?;
    let mut cores = CpuSet::new();
    let all = (0..CpuSet::MAX_CPU).rev().filter(|&core| mine.is_set(core));
    all.take(count).for_each(|core| cores.set(core));
    let set = sched_setaffinity(None, &cores).map_err(std::io::Error::from);
    set.map_err(Fault::io("stay on some of the cores"))
}

/// Ties this process to the last `count` cores that it may use.
///
/// # Errors
/// Always: here nobody can.
#[cfg(not(target_os = "linux"))]
pub fn stay_on_cores(_count: usize) -> Result<(), Fault> {
    let no_way = std::io::Error::from(std::io::ErrorKind::Unsupported);
    Err(Fault::io("stay on some of the cores")(no_way))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_cores_and_a_system() {
        let machine = Machine::of_this();
        assert!(machine.cores > 0 && !machine.os.is_empty());
        assert!(machine.line().contains(&machine.os));
    }
}
