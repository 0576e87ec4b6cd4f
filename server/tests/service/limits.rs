//! Greedy clients are held, and others are served.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use closemark_proto::v1;
use closemark_proto::v1::close_service_client::CloseServiceClient;
use tonic::Code;
use tonic::transport::Channel;

use crate::sample::{batch, quote};
use crate::support::{Ingest, Server, refusal};

#[tokio::test]
async fn calls_beyond_the_limit_are_told_when_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("LIMITS_CALLS_MAX", "6"), ("LIMITS_CALLS_PER_CONNECTION_MAX", "4")];
    let server = Server::start(folder.path(), &settings);
    let greedy = server.channel().await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(Ingest::open(greedy.clone()).await.unwrap());
    }
    let status = Ingest::open(greedy.clone()).await.map(|_| ()).unwrap_err();
    let (code, reason, details) = refusal(&status);
    assert_eq!((code, reason.as_str()), (Code::ResourceExhausted, "LIMIT_REACHED"));
    assert!(details.retry_info().unwrap().retry_delay.unwrap() > Duration::ZERO);
    assert_eq!(details.error_info().unwrap().metadata["limit"], "limits.calls_per_connection_max");

    let second = server.channel().await;
    held.push(Ingest::open(second.clone()).await.unwrap());
    held.push(Ingest::open(second.clone()).await.unwrap());
    let status = Ingest::open(second.clone()).await.map(|_| ()).unwrap_err();
    assert_eq!(refusal(&status).2.error_info().unwrap().metadata["limit"], "limits.calls_max");

    // Everything is taken, and a client with one call at a time is still served.
    let mut quiet = CloseServiceClient::new(server.channel().await);
    for _ in 0..20 {
        quiet.list_closes(v1::ListClosesRequest::default()).await.unwrap();
    }
    // What was held goes on, and what it gives back others may have.
    let mut first = held.remove(0);
    assert_eq!(first.send(batch("feed", 1, vec![quote(100)])).await.unwrap().acknowledged_sequence, 1);
    first.end().await.unwrap();
    let mut tries = 0;
    while Ingest::open(greedy.clone()).await.is_err() {
        // The call that ended is given back when its last bytes have left the server.
        tries += 1;
        assert!(tries < 10_000);
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_and_come_again_later() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[("LIMITS_CONNECTIONS_MAX", "2")]);
    let list = |channel: Channel| async move {
        CloseServiceClient::new(channel).list_closes(v1::ListClosesRequest::default()).await.map(drop)
    };
    let (first, second) = (server.channel().await, server.channel().await);
    list(first.clone()).await.unwrap();
    list(second.clone()).await.unwrap();
    let third = crate::support::endpoint(format!("http://{}", server.address)).connect_lazy();
    assert!(list(third.clone()).await.is_err());
    list(first).await.unwrap();
    drop(second);
    let mut tries = 0;
    while list(third.clone()).await.is_err() {
        tries += 1;
        assert!(tries < 10_000);
    }
    assert!(server.operations("/metrics").1.contains("closemark_connections_refused_total"));
}

/// Whether the server closes a connection that has said this; a server that never does fails after a minute.
fn is_closed(server: &Server, said: &[u8]) -> bool {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(said).unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_or_call_nothing_are_closed_and_calls_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("LIMITS_HANDSHAKE_SECONDS_MAX", "1"), ("LIMITS_IDLE_SECONDS_MAX", "1")];
    let server = Server::start(folder.path(), &settings);
    let mut stream = Ingest::open(server.channel().await).await.unwrap();
    stream.send(batch("feed", 1, vec![quote(100)])).await.unwrap();
    // Silence, half a word, and an HTTP/2 connection without a call.
    let mut preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    preface.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
    for said in [&b""[..], b"GE", &preface] {
        assert!(is_closed(&server, said));
    }
    assert_eq!(stream.send(batch("feed", 2, vec![quote(100)])).await.unwrap().acknowledged_sequence, 2);
}

/// A frame of HTTP/2: length, type, flags, stream, payload.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 0, u8::try_from(payload.len()).unwrap(), kind, flags, 0, 0, 0, stream];
    frame.extend_from_slice(payload);
    frame
}

/// Headers as HPACK's literals without an index.
fn literals(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        for text in [name, value] {
            if text == name {
                block.push(0);
            }
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

#[tokio::test]
async fn calls_of_a_connection_that_breaks_off_take_no_place_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[("LIMITS_OPEN_CALLS_MAX", "8")]);
    let call = literals(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]);
    // Hyper gives up the connection over this one, with the call before it just begun.
    let broken = literals(&[(":method", "CONNECT"), (":authority", "localhost:1"), ("content-length", "5")]);
    for _ in 0..40 {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let mut said = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        said.extend(frame(4, 0, 0, &[]));
        said.extend(frame(1, 4, 1, &call));
        said.extend(frame(1, 4, 3, &broken));
        stream.write_all(&said).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        // Until the server closes it.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let mut health = tonic_health::pb::health_client::HealthClient::new(server.channel().await);
    health.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap();
}
