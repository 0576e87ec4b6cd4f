//! TLS: the server's certificate, the authorities of clients' certificates, and how both are read again.

use std::path::Path;
use std::sync::{Arc, RwLock};

use anyhow::Context;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::serve::config::TlsSection;

/// The server's side of TLS, from the files that the configuration names.
pub(crate) struct Tls {
    files: TlsSection,
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the files; `None` where none are named.
    ///
    /// # Errors
    /// One line that names the file; never its content.
    pub(crate) fn open(files: &TlsSection) -> anyhow::Result<Option<Self>> {
        if files.certificate.as_os_str().is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { files: files.clone(), config: RwLock::new(Arc::new(read(files)?)) }))
    }

    /// Reads the files again; where they are damaged, what was in force stays.
    pub(crate) fn reload(&self) {
        match (read(&self.files), self.config.write()) {
            (Ok(fresh), Ok(mut config)) => {
                *config = Arc::new(fresh);
                tracing::info!("certificates read again");
            }
            (Err(error), _) => tracing::error!(%error, "certificates cannot be read; the old ones stay"),
            (_, Err(_)) => tracing::error!("certificates cannot be replaced"),
        }
    }

    /// What makes a connection of a socket.
    pub(crate) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.config.read().ok().map(|config| TlsAcceptor::from(Arc::clone(&config)))
    }
}

fn read(files: &TlsSection) -> anyhow::Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|_| anyhow::anyhow!("{}: cannot be read as a PEM private key", files.key.display()))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = if files.client_ca.as_os_str().is_empty() {
        builder.with_no_client_auth()
    } else {
        let mut roots = RootCertStore::empty();
        for authority in certificates(&files.client_ca)? {
            roots.add(authority).with_context(|| files.client_ca.display().to_string())?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = if files.require_client_certificate { verifier } else { verifier.allow_unauthenticated() };
        builder.with_client_cert_verifier(verifier.build()?)
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .with_context(|| format!("{} does not go with its key", files.certificate.display()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let refused = || format!("{}: cannot be read as PEM certificates", file.display());
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).with_context(refused)?.collect();
    let all = all.with_context(refused)?;
    anyhow::ensure!(!all.is_empty(), "{}: holds no certificate", file.display());
    Ok(all)
}

/// SHA-256 of a certificate, as `openssl x509 -fingerprint -sha256` shows it.
pub(crate) fn fingerprint(certificate: &CertificateDer<'_>) -> Option<[u8; 32]> {
    let suite = rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13()?;
    suite.common.hash_provider.hash(certificate.as_ref()).as_ref().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn the_fingerprint_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        let digest = fingerprint(&b"abc".as_slice().into()).unwrap();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
