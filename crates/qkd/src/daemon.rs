//! One service in this process: configuration, then sockets, then work until it is told to stop.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::panic;
use std::sync::Arc;
use std::time::Duration;

use qkd_node::config::{NodeConfig, Role};
use qkd_node::shutdown::{self, GRACE, Shutdown, ShutdownTrigger, StopReason};
use qkd_node::telemetry::{self, Logging, TelemetryError};
use serde::Serialize;

use crate::cli::{AliceArgs, DaemonArgs, LogFormat};
use crate::exit::Exit;
use crate::notify::{self, News};
use crate::output::one_line;

/// How long work on other threads may hold up the end of the process.
const WIND_UP: Duration = Duration::from_secs(1);

/// How much sooner than the promised end the process ends itself.
const MARGIN: Duration = Duration::from_millis(500);

/// Why a service failed.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The configuration is wrong, or a file that it names.
    #[error(transparent)]
    Config(#[from] qkd_node::config::ConfigError),
    /// No log.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The operating system refused.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// The service itself.
    #[error(transparent)]
    Node(#[from] qkd_node::NodeError),
}

/// Runs Alice until she is told to stop, and says how she ended.
pub fn run_alice(args: &AliceArgs) -> Exit {
    run_with(Role::Alice, &args.daemon, |config| {
        if let (NodeConfig::Alice(alice), Some(fibre)) = (config, &args.fibre.0) {
            alice.quantum_peer = fibre.clone();
        }
    })
}

/// Runs the service of a `role` until it is told to stop, and says how it ended.
pub fn run(role: Role, args: &DaemonArgs) -> Exit {
    run_with(role, args, |_config| {})
}

/// As [`run`], with what the command line changes in the configuration.
fn run_with(role: Role, args: &DaemonArgs, change: impl FnOnce(&mut NodeConfig)) -> Exit {
    match serve(role, args, change) {
        Ok(()) => Exit::Success,
        Err(error) => {
            let name = role_name(role);
            let line = one_line(&error.to_string());
            // If nobody is left to read it, the exit status still says that something failed.
            let _ = writeln!(io::stderr(), "qkd {name}: {line}");
            match error {
                Error::Telemetry(_) => Exit::Usage,
                Error::Config(_) | Error::Io { .. } | Error::Node(_) => Exit::Fault,
            }
        }
    }
}

fn serve(role: Role, args: &DaemonArgs, change: impl FnOnce(&mut NodeConfig)) -> Result<(), Error> {
    let format = match args.log_format {
        LogFormat::Text => telemetry::LogFormat::Text,
        LogFormat::Json => telemetry::LogFormat::Json,
    };
    telemetry::init(&Logging {
        format,
        level: args.log.log_level.clone(),
    })?;
    end_with_any_panic();
    let mut config = NodeConfig::load(&args.config, role)?;
    change(&mut config);
    let io = |action| move |source| Error::Io { action, source };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(io("start the asynchronous runtime"))?;
    let ended = runtime.block_on(async {
        let signals = Shutdown::on_signals().map_err(io("listen to signals"))?;
        let shutdown = if args.exit_with_parent {
            or_end_of_input(signals)
        } else {
            signals
        };
        let stopping = shutdown.clone();
        tokio::spawn(async move {
            stopping.waited().await;
            notify::tell(News::Stopping);
        });
        qkd_node::run(config, shutdown, |ready| {
            announce(role, ready);
            notify::tell(News::Ready(ready.services));
        })
        .await?;
        Ok(())
    });
    runtime.shutdown_timeout(WIND_UP);
    ended
}

/// A daemon of which one thread broke down is half a service, which is worse than none: it ends as a
/// whole, and whoever started it starts it again.
fn end_with_any_panic() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        print(panic);
        // No log: the thread may have broken down while it held the lock of the log.
        std::process::exit(i32::from(Exit::Fault.code()));
    }));
}

/// A shutdown that the end of standard input starts as well.
fn or_end_of_input(mut signals: Shutdown) -> Shutdown {
    let (trigger, shutdown) = shutdown::channel();
    let trigger = Arc::new(trigger);
    let of_signals = Arc::clone(&trigger);
    tokio::spawn(async move { of_signals.stop(signals.wait().await) });
    // On a thread of its own: a runtime would wait for its reader at the end.
    std::thread::spawn(move || await_end_of_input(&trigger));
    shutdown
}

fn await_end_of_input(trigger: &ShutdownTrigger) {
    let mut buffer = [0; 64];
    loop {
        match io::stdin().lock().read(&mut buffer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    tracing::info!("standard input has ended: stopping");
    trigger.stop(StopReason::Terminate);
    // The same promise as after a signal, kept even if the runtime is stuck.
    std::thread::sleep(GRACE - MARGIN);
    tracing::error!("did not stop in time: ending by force");
    std::process::exit(i32::from(Exit::Fault.code()));
}

/// The line on standard output that says where the service can be reached.
#[derive(Serialize)]
struct ReadyLine {
    ready: bool,
    role: &'static str,
    quantum: Option<SocketAddr>,
    classical: Option<SocketAddr>,
    services: SocketAddr,
    etsi014: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
}

fn announce(role: Role, ready: &qkd_node::Ready) {
    let line = ReadyLine {
        ready: true,
        role: role_name(role),
        quantum: ready.quantum,
        classical: ready.classical,
        services: ready.services,
        etsi014: ready.etsi014,
        metrics: ready.metrics,
    };
    let written = serde_json::to_string(&line)
        .map_err(io::Error::other)
        .and_then(|line| {
            let mut stdout = io::stdout().lock();
            writeln!(stdout, "{line}")?;
            stdout.flush()
        });
    if let Err(error) = written {
        // Nobody reads it: the service is as good without.
        tracing::warn!(%error, "cannot print the addresses");
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Alice => "alice",
        Role::Bob => "bob",
        Role::Eve => "eve",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_is_one_line_of_the_documented_form() {
        let line = ReadyLine {
            ready: true,
            role: role_name(Role::Bob),
            quantum: Some(SocketAddr::from(([127, 0, 0, 1], 4567))),
            classical: None,
            services: SocketAddr::from(([127, 0, 0, 1], 9)),
            etsi014: None,
            metrics: None,
        };
        assert_eq!(
            serde_json::to_string(&line).unwrap(),
            r#"{"ready":true,"role":"bob","quantum":"127.0.0.1:4567","classical":null,"services":"127.0.0.1:9","etsi014":null,"metrics":null}"#
        );
    }
}
