//! The secret of the operators, in a file that only the server's user can read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::runtime::random;

/// Minimum length of a secret, characters: 128 bits as hexadecimal digits.
const MIN_CHARS: usize = 32;

/// Why the operators' secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read or created.
    #[error("the operators' secret {path} cannot be read or created: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// Other users of the machine can read the file.
    #[error("the operators' secret {path} can be read by others: chmod 600 {path}")]
    ReadByOthers {
        /// The file.
        path: PathBuf,
    },
    /// The secret could be guessed.
    #[error(
        "the operators' secret {path} is too short: it needs {MIN_CHARS} characters; delete the file for a new one"
    )]
    TooShort {
        /// The file.
        path: PathBuf,
    },
}

/// The secret of the operators. It is never printed.
pub(crate) struct OperatorSecret(String);

impl std::fmt::Debug for OperatorSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OperatorSecret")
    }
}

impl OperatorSecret {
    /// Reads the secret from a file, which is created with a new secret if it does not exist.
    pub(crate) fn read_or_create(path: &Path) -> Result<OperatorSecret, SecretError> {
        let failed = |error| SecretError::Io { path: path.to_owned(), error };
        match create(path) {
            Ok(()) => tracing::info!(path = %path.display(), "a secret for operators was created"),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
        OperatorSecret::read(path)
    }

    /// Reads the secret from a file.
    pub(crate) fn read(path: &Path) -> Result<OperatorSecret, SecretError> {
        let failed = |error| SecretError::Io { path: path.to_owned(), error };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            if fs::metadata(path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
                return Err(SecretError::ReadByOthers { path: path.to_owned() });
            }
        }
        let secret = fs::read_to_string(path).map_err(failed)?.trim().to_owned();
        if secret.len() < MIN_CHARS {
            return Err(SecretError::TooShort { path: path.to_owned() });
        }
        Ok(OperatorSecret(secret))
    }

    /// Returns the value of the header `Authorization`.
    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Returns whether this is the secret, in a time that does not depend on where they differ.
    pub(crate) fn is(&self, sent: &str) -> bool {
        // The key is fresh, so nothing about the secret follows from the time of comparing the hashes.
        let key: [u8; 32] = random();
        let hash = |text: &str| {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key may have any length");
            mac.update(text.as_bytes());
            mac
        };
        hash(sent).verify_slice(&hash(&self.0).finalize().into_bytes()).is_ok()
    }
}

fn create(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let bytes: [u8; 32] = random();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = options.open(path)?;
    writeln!(file, "{digits}")?;
    file.sync_all()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn o6_a_secret_is_created_for_the_servers_user_alone_and_another_text_is_not_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let secret = OperatorSecret::read_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap().trim().to_owned();
        assert!(text.len() == 64 && secret.is(&text) && OperatorSecret::read_or_create(&path).unwrap().is(&text));
        for other in ["", "0", &text[1..], &format!("{text}0"), &text.to_uppercase().replace('a', "b")] {
            assert!(!secret.is(other) || other == text);
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(OperatorSecret::read_or_create(&path), Err(SecretError::ReadByOthers { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "guess").unwrap();
        assert!(matches!(OperatorSecret::read(&path), Err(SecretError::TooShort { .. })));
    }
}
