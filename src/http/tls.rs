//! TLS for those who call from elsewhere: the certificate and its key from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("tls_cert cannot be read from {0}: {1}; it must hold the certificate and its chain as PEM")]
    Certificate(PathBuf, String),
    #[error("tls_key cannot be read from {0}: {1}; it must hold one key as PEM, without a password")]
    Key(PathBuf, String),
    #[error("the certificate in {0} and its key do not serve: {1}")]
    Unfit(PathBuf, rustls::Error),
}

pub fn acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let unread = |why: String| TlsError::Certificate(cert.to_owned(), why);
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(cert).and_then(Iterator::collect).map_err(|error| unread(error.to_string()))?;
    if chain.is_empty() {
        return Err(unread("there is none in it".to_owned()));
    }
    // Nothing of what is in the file.
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::Key(key.to_owned(), error.to_string()))?;
    let unfit = |error| TlsError::Unfit(cert.to_owned(), error);
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
