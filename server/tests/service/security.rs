//! Who may call: TLS, client certificates, tokens, roles, addresses.

use std::path::{Path, PathBuf};

use closemark_proto::v1;
use closemark_proto::v1::close_service_client::CloseServiceClient;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic::{Code, Request, Status};

use crate::sample::{batch, quote};
use crate::support::{Ingest, Server, endpoint, http, refusal};

/// The token of a person of the tests.
pub(crate) fn token(name: &str) -> String {
    format!("cm_secret_of_{name}")
}

/// The header of a person's token.
pub(crate) fn bearer(name: &str) -> String {
    format!("Bearer {}", token(name))
}

/// Writes an access file: names, each with roles parted by commas, and entries beside.
pub(crate) fn access_file(folder: &Path, people: &[(&str, &str)], more: &str) -> PathBuf {
    let mut text = String::new();
    for (name, roles) in people {
        let digest = blake3::hash(token(name).as_bytes()).to_hex();
        let roles: Vec<String> = roles.split(',').map(|role| format!("\"{role}\"")).collect();
        text.push_str(&format!(
            "[[caller]]\nname = \"{name}\"\nroles = [{}]\ntoken_blake3 = \"{digest}\"\n",
            roles.join(", ")
        ));
    }
    let path = folder.join("access.toml");
    std::fs::write(&path, text + more).unwrap();
    path
}

async fn list(channel: Channel, header: Option<&str>) -> Result<(), Status> {
    let mut request = Request::new(v1::ListClosesRequest::default());
    if let Some(header) = header {
        request.metadata_mut().insert("authorization", header.parse().unwrap());
    }
    CloseServiceClient::new(channel).list_closes(request).await.map(drop)
}

async fn start(channel: Channel, header: &str) -> Result<(), Status> {
    let request = v1::StartCloseRequest {
        request_id: "r".to_owned(),
        market_date: "2026-11-20".to_owned(),
        ..Default::default()
    };
    let mut request = Request::new(request);
    request.metadata_mut().insert("authorization", header.parse().unwrap());
    CloseServiceClient::new(channel).start_close(request).await.map(drop)
}

#[tokio::test]
async fn tokens_open_what_their_roles_say_until_they_expire_or_are_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let expired = format!(
        "[[caller]]\nname = \"old\"\nroles = [\"read\"]\ntoken_blake3 = \"{}\"\nexpires = \"2020-01-01T00:00:00Z\"\n",
        blake3::hash(token("old").as_bytes()).to_hex()
    );
    let people = [("reader", "read"), ("feeder", "ingest"), ("otto", "operate")];
    let access = access_file(folder.path(), &people, &expired);
    let server = Server::start(folder.path(), &[("SECURITY_ACCESS_FILE", access.to_str().unwrap())]);
    let channel = server.channel().await;
    list(channel.clone(), Some(&bearer("reader"))).await.unwrap();
    start(channel.clone(), &bearer("otto")).await.unwrap();
    for (header, code, reason) in [
        (None, Code::Unauthenticated, "CREDENTIALS_MISSING"),
        (Some(bearer("nobody")), Code::Unauthenticated, "UNKNOWN_CREDENTIALS"),
        (Some(bearer("old")), Code::Unauthenticated, "EXPIRED_CREDENTIALS"),
        (Some("Basic cmVhZGVyOng=".to_owned()), Code::Unauthenticated, "UNKNOWN_SCHEME"),
        (Some("Bearer ".to_owned()), Code::Unauthenticated, "UNKNOWN_SCHEME"),
        (Some(bearer("feeder")), Code::PermissionDenied, "ROLE_MISSING"),
    ] {
        let status = list(channel.clone(), header.as_deref()).await.unwrap_err();
        let (found, said, _) = refusal(&status);
        assert_eq!((found, said.as_str()), (code, reason), "{status:?}");
    }
    assert_eq!(start(channel.clone(), &bearer("reader")).await.unwrap_err().code(), Code::PermissionDenied);
    // Plain HTTP is refused by the same guard.
    // The page's own files hold no data: a browser must have them before it can show a token.
    assert_eq!([http(server.address, "/").0, http(server.address, "/app.js").0], [200, 200]);
    assert_eq!(http(server.address, "/api/v1/dates").0, 401);
    let (code, who) = http(server.address, "/api/v1/who");
    assert!(code == 200 && who.contains("\"roles\":[]"), "{who}");

    // Whoever is revoked is out at the next call.
    access_file(folder.path(), &[("feeder", "ingest"), ("otto", "operate")], "");
    let status = list(channel.clone(), Some(&bearer("reader"))).await.unwrap_err();
    assert_eq!(refusal(&status).1, "UNKNOWN_CREDENTIALS");

    let logged = server.logged();
    assert!(logged.contains("refused"), "{logged}");
    for name in ["reader", "old", "nobody", "feeder", "otto"] {
        assert!(!logged.contains(&token(name)), "a token stands in the log");
    }
}

#[tokio::test]
async fn a_revocation_ends_a_stream_that_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let access = access_file(folder.path(), &[("feeder", "ingest")], "");
    let server = Server::start(folder.path(), &[("SECURITY_ACCESS_FILE", access.to_str().unwrap())]);
    let (batches, receiver) = tokio::sync::mpsc::channel(4);
    let mut request = Request::new(tokio_stream::wrappers::ReceiverStream::new(receiver));
    request.metadata_mut().insert("authorization", bearer("feeder").parse().unwrap());
    let mut client = closemark_proto::v1::quote_service_client::QuoteServiceClient::new(server.channel().await);
    let mut answers = client.ingest_quotes(request).await.unwrap().into_inner();
    batches.send(batch("feed", 1, vec![quote(100)])).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().acknowledged_sequence, 1);
    access_file(folder.path(), &[], "# nobody\n");
    batches.send(batch("feed", 2, vec![quote(100)])).await.unwrap();
    let status = answers.message().await.unwrap_err();
    assert_eq!(refusal(&status).0, Code::Unauthenticated, "{status:?}");
}

#[tokio::test]
async fn a_role_counts_only_from_its_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[("ALLOW_INGEST", "10.0.0.0/8"), ("ALLOW_READ", "127.0.0.0/8,::1")]);
    list(server.channel().await, None).await.unwrap();
    let status = Ingest::open(server.channel().await).await.map(|_| ()).unwrap_err();
    let (code, reason, details) = refusal(&status);
    assert_eq!((code, reason.as_str()), (Code::PermissionDenied, "ROLE_MISSING"));
    assert_eq!(details.error_info().unwrap().metadata["role"], "ingest");
}

/// An authority with a server's and a client's certificate, as files.
struct Certificates {
    authority: String,
    client: (String, String),
    fingerprint: String,
}

fn certificates(folder: &Path) -> Certificates {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        (certificate, key.serialize_pem())
    };
    let (server, server_key) = issue("localhost");
    let (client, client_key) = issue("client.test");
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(folder.join("server.pem"), server.pem()).unwrap();
    std::fs::write(folder.join("server.key"), server_key).unwrap();
    std::fs::write(folder.join("client.pem"), client.pem()).unwrap();
    let digest = rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13().unwrap().common.hash_provider;
    let digest = digest.hash(client.der());
    let fingerprint = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
    Certificates { authority: authority.pem(), client: (client.pem(), client_key), fingerprint }
}

async fn secure(server: &Server, tls: ClientTlsConfig) -> Result<Channel, tonic::transport::Error> {
    let endpoint = endpoint(format!("https://localhost:{}", server.address.port()));
    endpoint.tls_config(tls.domain_name("localhost"))?.connect().await
}

#[tokio::test]
async fn tls_with_client_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = certificates(folder.path());
    let entry = format!(
        "[[caller]]\nname = \"margin\"\nroles = [\"read\"]\ncertificate_sha256 = \"{}\"\n",
        certificates.fingerprint
    );
    let access = access_file(folder.path(), &[("reader", "read")], &entry);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key, authority) = (path("server.pem"), path("server.key"), path("ca.pem"));
    let settings = [
        ("TLS_CERTIFICATE", certificate.as_str()),
        ("TLS_KEY", &key),
        ("TLS_CLIENT_CA", &authority),
        ("SECURITY_ACCESS_FILE", access.to_str().unwrap()),
    ];
    let server = Server::start(folder.path(), &settings);
    let believes = || ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&certificates.authority));
    let with_identity = || {
        let (certificate, key) = &certificates.client;
        believes().identity(Identity::from_pem(certificate, key))
    };
    // The certificate is the credential; without one a token is; without either nothing is.
    list(secure(&server, with_identity()).await.unwrap(), None).await.unwrap();
    list(secure(&server, believes()).await.unwrap(), Some(&bearer("reader"))).await.unwrap();
    let status = list(secure(&server, believes()).await.unwrap(), None).await.unwrap_err();
    assert_eq!(refusal(&status).1, "CREDENTIALS_MISSING");

    // Plaintext to the TLS port is no call at all, and harms nobody.
    let plain = endpoint(format!("http://{}", server.address)).connect_lazy();
    assert!(list(plain, Some(&bearer("reader"))).await.is_err());
    // A client of another authority is not shaken hands with.
    let other = self::certificates(tempfile::tempdir().unwrap().path());
    let foreign = believes().identity(Identity::from_pem(&other.client.0, &other.client.1));
    let outcome = match secure(&server, foreign).await {
        Ok(channel) => list(channel, Some(&bearer("reader"))).await.is_err(),
        Err(_) => true,
    };
    assert!(outcome);
    list(secure(&server, with_identity()).await.unwrap(), None).await.unwrap();

    // SIGHUP reads certificates again; damaged ones change nothing.
    std::fs::write(folder.path().join("server.pem"), "damaged").unwrap();
    server.signal("HUP");
    list(secure(&server, with_identity()).await.unwrap(), None).await.unwrap();
    assert!(server.terminate());
}

#[test]
fn nothing_listens_off_loopback_without_tls() {
    let folder = tempfile::tempdir().unwrap();
    let run = |environment: &[(&str, &str)]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_closemark"));
        command.arg("serve").env("CLOSEMARK_STORAGE_FOLDER", folder.path().join("state"));
        for (key, value) in environment {
            command.env(key, value);
        }
        command.output().unwrap()
    };
    for (key, value, said) in [
        ("CLOSEMARK_SERVER_LISTEN", "0.0.0.0:0", "allowed off loopback is TLS"),
        ("CLOSEMARK_SERVER_OPERATIONS_LISTEN", "0.0.0.0:0", "allowed is a loopback address"),
        ("CLOSEMARK_SECURITY_ACCESS_FILE", "/nowhere/access.toml", "access file"),
    ] {
        let output = run(&[("CLOSEMARK_SERVER_LISTEN", "127.0.0.1:0"), (key, value)]);
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(said) && text.lines().count() == 1, "{text}");
    }
}

#[test]
fn the_printed_configuration_is_a_configuration() {
    let run = |arguments: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_closemark")).args(arguments).output().unwrap()
    };
    let printed = run(&["serve", "--print-config"]);
    assert!(printed.status.success());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("closemark.toml");
    std::fs::write(&file, &printed.stdout).unwrap();
    let again = run(&["serve", "--config", file.to_str().unwrap(), "--print-config"]);
    assert_eq!(String::from_utf8(again.stdout).unwrap(), String::from_utf8(printed.stdout).unwrap());
}
