//! A client that trusts one certificate: that of the project folder, whoever signed it and whatever name it is for.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

use crate::channels::http;
use crate::cli::{Error, Kind};

/// A client for a daemon that answers under the first certificate of a file.
pub(super) fn client(file: &Path) -> Result<reqwest::Client, Error> {
    let failed = |error: anyhow::Error| {
        let context = format!("cannot read the daemon's certificate from {}", file.display());
        Error::new(Kind::Failure, error.context(context)).with_hint("name the daemon with --url, and --ca-file")
    };
    let certificate = CertificateDer::from_pem_file(file).map_err(|error| failed(error.into()))?;
    http::install_tls_provider();
    let Some(provider) = CryptoProvider::get_default().cloned() else {
        return Err(Error::message(Kind::Failure, "there is no provider of cryptography"));
    };
    let verifier = Arc::new(Pinned { certificate, provider });
    let config =
        rustls::ClientConfig::builder().dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    http::builder().tls_backend_preconfigured(config).build().map_err(|error| Error::new(Kind::Failure, error))
}

/// Takes this certificate alone. That the other end has its key is checked as ever.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match *shown == self.certificate {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(rustls::Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
