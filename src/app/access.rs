//! The token of the data folder, which the commands on this machine read, and the certificate of the listener.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::access::Digest;
use crate::config::Tls;
use crate::diagnostic::Diagnostic;
use crate::server::Certificate;

/// The file in the data folder.
pub const TOKEN_FILE: &str = "write-token";
/// Its token is so many random bytes, written in hexadecimal digits.
const TOKEN_BYTES: usize = 32;

/// A new random token of 256 bits.
///
/// # Errors
/// Where the system has no random numbers.
pub fn new_token() -> io::Result<String> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    crate::channels::http::install_tls_provider();
    let provider = rustls::crypto::CryptoProvider::get_default();
    let random = provider.ok_or_else(|| io::Error::other("there is no provider of cryptography"))?.secure_random;
    random.fill(&mut bytes).map_err(|_| io::Error::other("the system has no random numbers"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The token of the data folder, made where there is none that only this user may read. It is kept over restarts.
///
/// # Errors
/// Where the file can neither be read nor written.
pub(super) fn own_token(data_dir: &Path) -> io::Result<Digest> {
    let path = data_dir.join(TOKEN_FILE);
    match read_token(&path) {
        Ok(Some(token)) => return Ok(Digest::of(&token)),
        Ok(None) => {}
        Err(error) => tracing::warn!(file = %path.display(), %error, "the token of the data folder is made anew"),
    }
    let token = new_token()?;
    // Beside its place first, so that nobody ever reads half of it.
    let fresh = data_dir.join(format!("{TOKEN_FILE}.new"));
    fs::remove_file(&fresh)
        .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&fresh)?;
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, &path)?;
    Ok(Digest::of(&token))
}

/// The token in a file; `None` where there is no file.
///
/// # Errors
/// Where it cannot be read, others may read it, or it is none.
pub fn read_token(path: &Path) -> io::Result<Option<String>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(io::Error::other(format!("others may read it (its mode is {:o})", mode & 0o777)));
        }
    }
    let token = text.trim();
    match token.len() >= crate::access::MIN_SECRET && token.chars().all(|c| c.is_ascii_graphic()) {
        true => Ok(Some(token.to_string())),
        false => Err(io::Error::other("it holds no token")),
    }
}

/// Why a pair of certificate and key is not good.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct BadPair {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Reads a certificate and its key. `folder` is the project folder.
///
/// # Errors
/// Where a file cannot be read or is not what it should be, or the key is not the certificate's.
pub fn read_pair(folder: &Path, tls: &Tls) -> Result<Arc<rustls::ServerConfig>, BadPair> {
    let bad = |path: &Path, problem: String| BadPair { file: path.display().to_string(), problem };
    let read =
        |path: &PathBuf| fs::read(folder.join(path)).map_err(|error| bad(path, format!("cannot be read: {error}")));
    let (pem, key_pem) = (read(&tls.certificate)?, read(&tls.key)?);
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| bad(&tls.certificate, format!("is no PEM: {error}")))?;
    if chain.is_empty() {
        return Err(bad(&tls.certificate, "holds no certificate (`-----BEGIN CERTIFICATE-----`)".to_string()));
    }
    let key = PrivateKeyDer::from_pem_slice(&key_pem);
    let key = key.map_err(|error| bad(&tls.key, format!("holds no private key: {error}")))?;
    crate::channels::http::install_tls_provider();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    let mut config = config.map_err(|error| bad(&tls.key, format!("does not fit the certificate: {error}")))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The certificate in force, and the files that it came from.
pub(super) struct Pair {
    folder: PathBuf,
    certificate: Certificate,
    /// What the files were when they were last looked at.
    seen: Mutex<Option<(Tls, Vec<u8>)>>,
}

impl Pair {
    /// The pair that a config names.
    ///
    /// # Errors
    /// Where it is not good: without a certificate nothing can be served.
    pub(super) fn start(folder: &Path, tls: &Tls) -> Result<Pair, BadPair> {
        let pair = Pair { folder: folder.into(), certificate: Certificate::default(), seen: Mutex::default() };
        pair.certificate.set(read_pair(folder, tls)?);
        *pair.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((tls.clone(), pair.texts(tls)));
        Ok(pair)
    }

    /// What connections are answered with.
    pub(super) fn certificate(&self) -> Certificate {
        self.certificate.clone()
    }

    /// Takes the files up where they changed. Gives what is wrong with them: then the old ones stay.
    pub(super) fn look(&self, tls: &Tls) -> Option<Diagnostic> {
        let now = (tls.clone(), self.texts(tls));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.as_ref() == Some(&now) {
            return None;
        }
        match read_pair(&self.folder, tls) {
            Ok(config) => {
                self.certificate.set(config);
                *seen = Some(now);
                tracing::info!(certificate = %tls.certificate.display(), "another certificate is in force");
                None
            }
            Err(BadPair { file, problem }) => {
                Some(Diagnostic::of_file(file, problem).with_hint("the certificate before it stays in force"))
            }
        }
    }

    fn texts(&self, tls: &Tls) -> Vec<u8> {
        let read = |path: &PathBuf| fs::read(self.folder.join(path)).unwrap_or_default();
        let mut all = read(&tls.certificate);
        all.push(0);
        all.extend(read(&tls.key));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_the_data_folder_is_kept_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TOKEN_FILE);
        let first = own_token(folder.path()).unwrap();
        let text = read_token(&path).unwrap().unwrap();
        assert_eq!((text.len(), Digest::of(&text)), (64, first));
        assert_eq!(own_token(folder.path()).unwrap(), first, "it outlasts a restart");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            let second = own_token(folder.path()).unwrap();
            assert_ne!(second, first, "one that others could read is made anew");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    /// A folder with a certificate and a key, of pairs that may be different ones.
    fn folder_with(certificate: &str, key: &str) -> (tempfile::TempDir, Tls) {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), certificate, key);
        (folder, Tls { certificate: "a.crt".into(), key: "a.key".into() })
    }

    fn put(folder: &Path, certificate: &str, key: &str) {
        let pem = |name: &str| match name {
            "one.crt" => include_str!("testdata/one.crt"),
            "one.key" => include_str!("testdata/one.key"),
            "two.crt" => include_str!("testdata/two.crt"),
            "two.key" => include_str!("testdata/two.key"),
            _ => "no pem",
        };
        fs::write(folder.join("a.crt"), pem(certificate)).unwrap();
        fs::write(folder.join("a.key"), pem(key)).unwrap();
    }

    #[test]
    fn a_pair_that_is_not_good_says_which_file_and_what() {
        for (certificate, key, problem) in [
            ("one.crt", "two.key", "a.key: does not fit the certificate"),
            ("one.key", "one.key", "a.crt: holds no certificate"),
            ("", "one.key", "a.crt: holds no certificate"),
            ("one.crt", "", "a.key: holds no private key"),
        ] {
            let (folder, tls) = folder_with(certificate, key);
            let error = read_pair(folder.path(), &tls).unwrap_err().to_string();
            assert!(error.starts_with(problem), "{certificate} {key}: {error}");
        }
        let nowhere = Tls { certificate: "b.crt".into(), key: "b.key".into() };
        let error = read_pair(Path::new("/nowhere"), &nowhere).unwrap_err().to_string();
        assert!(error.starts_with("b.crt: cannot be read"), "{error}");
    }

    #[test]
    fn another_pair_is_taken_up_and_a_broken_one_changes_nothing() {
        let (folder, tls) = folder_with("one.crt", "one.key");
        let pair = Pair::start(folder.path(), &tls).unwrap();
        let before = format!("{:?}", pair.seen.lock().unwrap().as_ref().map(|(_, texts)| texts.len()));
        assert!(pair.look(&tls).is_none(), "nothing changed");
        put(folder.path(), "two.crt", "one.key");
        let problem = pair.look(&tls).unwrap();
        assert!(problem.message.contains("does not fit"), "{problem}");
        assert_eq!(format!("{:?}", pair.seen.lock().unwrap().as_ref().map(|(_, texts)| texts.len())), before);
        put(folder.path(), "two.crt", "two.key");
        assert!(pair.look(&tls).is_none());
        assert!(pair.look(&tls).is_none());
    }

    #[test]
    fn what_is_no_token_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TOKEN_FILE);
        own_token(folder.path()).unwrap();
        fs::write(&path, "short").unwrap();
        assert!(read_token(&path).is_err());
        own_token(folder.path()).unwrap();
        assert_eq!(read_token(&path).unwrap().unwrap().len(), 64);
    }
}
