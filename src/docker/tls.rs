//! TLS to an engine: the Docker client's `ca.pem`, `cert.pem` and `key.pem`. The engine is always verified.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Shakes hands over a connection to `authority` (`host:port`), with the files of the folder.
///
/// # Errors
/// Files that cannot be used; a server that is not the one that they name. The text says which.
pub(super) async fn secure(
    stream: TcpStream,
    authority: &str,
    folder: &Path,
    protocol: Option<&str>,
) -> Result<TlsStream<TcpStream>, String> {
    let mut config = configuration(folder)?;
    config.alpn_protocols = protocol.into_iter().map(|name| name.as_bytes().to_vec()).collect();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned()).map_err(|_| format!("`{host}` is not a server's name"))?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| error.to_string())
}

fn configuration(folder: &Path) -> Result<ClientConfig, String> {
    let authorities = certificates(&folder.join("ca.pem"))?;
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).map_err(|error| format!("{}: {error}", folder.join("ca.pem").display()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let builder = builder.with_root_certificates(roots);
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    if !certificate.exists() && !key.exists() {
        return Ok(builder.with_no_client_auth());
    }
    let chain = certificates(&certificate)?;
    let secret = PrivateKeyDer::from_pem_file(&key).map_err(|error| format!("{}: {error}", key.display()))?;
    builder.with_client_auth_cert(chain, secret).map_err(|error| format!("{}: {error}", certificate.display()))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unusable = |error: rustls::pki_types::pem::Error| format!("{}: {error}", file.display());
    let certificates = CertificateDer::pem_file_iter(file).map_err(unusable)?;
    certificates.collect::<Result<_, _>>().map_err(unusable)
}
