//! The two TLS ends of the proxy: a certificate of its own towards shipway, the bench's login towards the server.

use std::{net::SocketAddr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::Bench;

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The bench's own login, out of its kubeconfig.
pub struct Login {
    pub address: SocketAddr,
    authority: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Login {
    pub fn of(bench: &Bench) -> Self {
        let config = std::fs::read_to_string(bench.variable("KUBECONFIG")).expect("a kubeconfig");
        let field = |name: &str| {
            let value = config.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "));
            value.unwrap_or_else(|| panic!("the bench's kubeconfig has no {name}")).to_owned()
        };
        let data = |name: &str| STANDARD.decode(field(name)).expect("base64");
        Self {
            address: field("server").trim_start_matches("https://").parse().expect("an address"),
            authority: data("certificate-authority-data"),
            certificate: data("client-certificate-data"),
            key: data("client-key-data"),
        }
    }

    pub fn connector(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.authority) {
            roots.add(certificate).expect("an authority");
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).expect("a key");
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_root_certificates(roots)
            .with_client_auth_cert(certificates(&self.certificate), key)
            .expect("a login");
        TlsConnector::from(Arc::new(config))
    }
}

fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().expect("certificates")
}

pub fn name(address: SocketAddr) -> ServerName<'static> {
    ServerName::IpAddress(address.ip().into())
}

/// A fresh certificate for 127.0.0.1, signed by itself.
pub struct Own {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    /// `certificate-authority-data`
    pub authority: String,
}

impl Own {
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        Self {
            certificate: made.cert.der().clone(),
            key: PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into()),
            authority: STANDARD.encode(made.cert.pem()),
        }
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .expect("a certificate");
        TlsAcceptor::from(Arc::new(config))
    }
}
