//! What the daemon says on standard error while it runs: one event per line, never a key byte.

use std::fmt;
use std::io;
use std::str::FromStr;

use tracing::Dispatch;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// What is logged when neither the command line nor `RUST_LOG` says otherwise.
pub const DEFAULT_LEVEL: &str = "info";

/// Logged as well at level `info`: why a caller's TLS handshake failed. Nothing else on this side
/// says so, and the caller may learn no more than that the connection was closed.
const STRANGERS: &str = "tonic::transport::server::io_stream=debug";

/// How a log line looks: `--log-format`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line, for machines.
    Json,
}

/// How much is logged, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logging {
    /// `--log-format`.
    pub format: LogFormat,
    /// `--log-level`: a level such as `debug` or directives such as `info,qkd_session=trace`;
    /// `RUST_LOG` and then [`DEFAULT_LEVEL`] when absent.
    pub level: Option<String>,
}

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// A format that there is not.
    #[error("log format {0:?}: expected \"text\" or \"json\"")]
    UnknownFormat(String),
    /// Directives that cannot be read.
    #[error(
        "log level {given:?} of {origin}: {reason}; expected a level (error, warn, info, debug, trace) or directives such as \"info,qkd_session=debug\""
    )]
    BadLevel {
        /// The text.
        given: String,
        /// `--log-level` or `RUST_LOG`.
        origin: &'static str,
        /// What the parser said.
        reason: String,
    },
    /// Something else in this process logs already.
    #[error("logging was set up before in this process")]
    AlreadySetUp,
}

impl FromStr for LogFormat {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, TelemetryError> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            other => Err(TelemetryError::UnknownFormat(other.to_owned())),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        })
    }
}

/// Sends the events of the whole process to standard error from now on.
///
/// # Errors
/// When the level cannot be read, or logging was set up before.
pub fn init(logging: &Logging) -> Result<(), TelemetryError> {
    let from_environment = std::env::var("RUST_LOG").ok();
    let dispatch = dispatch(logging, from_environment.as_deref(), io::stderr)?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| TelemetryError::AlreadySetUp)
}

fn dispatch<W>(
    logging: &Logging,
    from_environment: Option<&str>,
    writer: W,
) -> Result<Dispatch, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(logging, from_environment)?)
        .with_ansi(false)
        .with_writer(writer);
    Ok(match logging.format {
        LogFormat::Text => Dispatch::new(builder.finish()),
        LogFormat::Json => Dispatch::new(builder.json().flatten_event(true).finish()),
    })
}

fn filter(logging: &Logging, from_environment: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    let environment = from_environment.filter(|directives| !directives.trim().is_empty());
    let (origin, directives) = match (&logging.level, environment) {
        (Some(level), _) => ("--log-level", level.as_str()),
        (None, Some(directives)) => ("RUST_LOG", directives),
        (None, None) => ("the default", DEFAULT_LEVEL),
    };
    let bad = |reason: String| TelemetryError::BadLevel {
        given: directives.to_owned(),
        origin,
        reason,
    };
    // A lone word that is no level would be taken for the name of a module, and nothing logged.
    let is_word = directives.chars().all(|c| c.is_ascii_alphanumeric());
    let filter = EnvFilter::try_new(directives).map_err(|error| bad(error.to_string()));
    if !is_word {
        return filter;
    }
    match directives.parse::<LevelFilter>() {
        Ok(LevelFilter::INFO) => EnvFilter::try_new(format!("{directives},{STRANGERS}"))
            .map_err(|error| bad(error.to_string())),
        Ok(_) => filter,
        Err(_) => Err(bad("no such level".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: Option<&str>, environment: Option<&str>) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let logging = Logging {
            format,
            level: level.map(str::to_owned),
        };
        let dispatch = dispatch(&logging, environment, move || writer.clone()).unwrap();
        tracing::dispatcher::with_default(&dispatch, || {
            tracing::info!(block = 7, "a block is done");
            tracing::debug!("a detail");
        });
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_lines_are_objects_with_their_fields() {
        let text = logged(LogFormat::Json, None, None);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1, "{text}");
        let event: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
        assert_eq!(event["block"], 7);
        assert_eq!(event["message"], "a block is done");
        assert_eq!(event["level"], "INFO");
    }

    #[test]
    fn the_command_line_beats_the_environment_and_that_beats_the_default() {
        let text = |level, environment| logged(LogFormat::Text, level, environment);
        assert!(!text(None, None).contains("a detail"));
        assert!(text(None, Some("debug")).contains("a detail"));
        assert!(!text(Some("info"), Some("debug")).contains("a detail"));
        assert!(!text(Some("warn"), None).contains("a block is done"));
        assert!(text(None, Some("")).contains("a block is done"));
        assert!(
            !text(None, None).contains('\u{1b}'),
            "no terminal colours in a log"
        );
    }

    #[test]
    fn a_level_that_there_is_not_is_refused_with_its_origin() {
        for level in ["loud", "info,qkd_node=loud", "a=b=c"] {
            let logging = Logging {
                level: Some(level.to_owned()),
                ..Logging::default()
            };
            let error = filter(&logging, None).unwrap_err().to_string();
            assert!(
                error.contains("--log-level") && error.contains(level),
                "{error}"
            );
        }
        let error = filter(&Logging::default(), Some("x=y")).unwrap_err();
        assert!(error.to_string().contains("RUST_LOG"), "{error}");
        assert!("yaml".parse::<LogFormat>().is_err());
        assert_eq!("json".parse::<LogFormat>().unwrap().to_string(), "json");
    }
}
