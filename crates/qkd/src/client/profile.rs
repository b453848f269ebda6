//! Where a command finds out whom it is and which node is its own.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use qkd_node::config::{ClientProfile, HostPort};

use super::{Connected, Error};

/// The variable that names a profile.
const VARIABLE: &str = "QKD_CLIENT";

/// A profile in a folder of configurations.
const FILE: &str = "qkd/client.toml";

/// Which client of which node a command is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub struct ClientArgs {
    /// The profile of an application or operator: its certificate and where its node is
    /// [default: $QKD_CLIENT, or else client.toml in $XDG_CONFIG_HOME/qkd, ~/.config/qkd or
    /// /etc/qkd]
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    pub client: Option<PathBuf>,
    /// The configuration of a node, in place of a profile: its own certificate is shown, and its
    /// services are called on this machine
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the node's services are, in place of what the file says
    #[arg(long, value_name = "HOST:PORT")]
    pub services: Option<HostPort>,
}

impl ClientArgs {
    /// Reads the file that these options, the environment, or else the usual places lead to.
    ///
    /// # Errors
    /// When there is none, or it is wrong.
    pub fn profile(&self) -> Result<ClientProfile, Error> {
        let mut profile = match (&self.client, &self.config) {
            (Some(file), _) => ClientProfile::load(file)?,
            (None, Some(file)) => ClientProfile::of_node(file)?,
            (None, None) => ClientProfile::load(&usual(&|name| env::var_os(name))?)?,
        };
        if let Some(services) = &self.services {
            profile.services = services.clone();
        } else if profile.services.port == 0 {
            let file = self.config.clone().unwrap_or_default();
            return Err(Error::AnyPort { file });
        }
        Ok(profile)
    }

    /// Connects to the node.
    ///
    /// # Errors
    /// As [`profile`](Self::profile), or when no connection comes up.
    pub async fn connect(&self) -> Result<Connected, Error> {
        Connected::open(self.profile()?).await
    }
}

/// The profile that nobody had to name.
fn usual(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf, Error> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    if let Some(named) = set(VARIABLE) {
        let file = PathBuf::from(named);
        return match file.exists() {
            true => Ok(file),
            false => Err(Error::Named {
                variable: VARIABLE,
                file,
            }),
        };
    }
    let own = set("XDG_CONFIG_HOME").map(PathBuf::from);
    let own = own.or_else(|| set("HOME").map(|home| Path::new(&home).join(".config")));
    let folders = own.into_iter().chain([PathBuf::from("/etc")]);
    let looked: Vec<PathBuf> = folders.map(|folder| folder.join(FILE)).collect();
    let found = looked.iter().find(|path| path.exists());
    found.cloned().ok_or(Error::NoProfile { looked })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &Path)]) -> Result<PathBuf, Error> {
        usual(&|name| {
            let variable = variables.iter().find(|(known, _)| *known == name);
            variable.map(|(_, value)| value.as_os_str().to_owned())
        })
    }

    #[test]
    fn the_variable_comes_before_the_users_folder_and_that_before_home() {
        let folder = tempfile::tempdir().unwrap();
        let (xdg, home) = (folder.path().join("xdg"), folder.path().join("home"));
        for parent in [&xdg, &home.join(".config")] {
            std::fs::create_dir_all(parent.join("qkd")).unwrap();
            std::fs::write(parent.join(FILE), "").unwrap();
        }
        let named = folder.path().join("else.toml");
        std::fs::write(&named, "").unwrap();
        let all = [
            (VARIABLE, named.as_path()),
            ("XDG_CONFIG_HOME", xdg.as_path()),
            ("HOME", home.as_path()),
        ];
        assert_eq!(found(&all).unwrap(), named);
        assert_eq!(found(&all[1..]).unwrap(), xdg.join(FILE));
        assert_eq!(found(&all[2..]).unwrap(), home.join(".config").join(FILE));
    }

    #[test]
    fn a_variable_that_names_no_file_is_a_fault_that_names_the_variable() {
        let said = found(&[(VARIABLE, Path::new("/no/where.toml"))]).unwrap_err();
        let said = said.to_string();
        assert!(
            said.starts_with("QKD_CLIENT names /no/where.toml"),
            "{said}"
        );
    }

    #[test]
    fn without_any_profile_the_places_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let said = found(&[("HOME", folder.path())]).unwrap_err().to_string();
        let own = folder.path().join(".config").join(FILE);
        assert!(said.contains(&own.display().to_string()), "{said}");
        assert!(said.contains("--client"), "{said}");
    }
}
