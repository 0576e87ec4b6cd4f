//! What grpcurl does: learn the schema from the server, turn JSON into a message, call, and turn the answer into JSON.

use prost::Message;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MethodDescriptor};
use tonic::Request;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::support::Server;

/// Messages of a schema that was learned at run time.
#[derive(Clone)]
struct Dynamic(MethodDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;
    fn encoder(&mut self) -> Self {
        self.clone()
    }
    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for Dynamic {
    type Item = DynamicMessage;
    type Error = tonic::Status;
    fn encode(&mut self, item: DynamicMessage, buf: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        item.encode(buf).map_err(|error| tonic::Status::internal(error.to_string()))
    }
    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

impl Decoder for Dynamic {
    type Item = DynamicMessage;
    type Error = tonic::Status;
    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, tonic::Status> {
        let message = DynamicMessage::decode(self.0.output(), buf);
        message.map(Some).map_err(|error| tonic::Status::internal(error.to_string()))
    }
    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

async fn ask(client: &mut ServerReflectionClient<Channel>, what: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(what) };
    let mut answers = client.server_reflection_info(tokio_stream::iter([request])).await.unwrap().into_inner();
    answers.message().await.unwrap().unwrap().message_response.unwrap()
}

/// The schema around a symbol, dependencies first.
async fn learn(channel: Channel, symbol: &str) -> DescriptorPool {
    let mut client = ServerReflectionClient::new(channel);
    let mut files: Vec<prost_types::FileDescriptorProto> = Vec::new();
    let mut wanted = vec![MessageRequest::FileContainingSymbol(symbol.to_owned())];
    while let Some(what) = wanted.pop() {
        let MessageResponse::FileDescriptorResponse(answer) = ask(&mut client, what).await else { panic!("{symbol}") };
        for bytes in answer.file_descriptor_proto {
            let file = prost_types::FileDescriptorProto::decode(bytes.as_slice()).unwrap();
            if files.iter().all(|known| known.name() != file.name()) {
                wanted.extend(file.dependency.iter().cloned().map(MessageRequest::FileByFilename));
                files.push(file);
            }
        }
    }
    files.reverse();
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_protos(files).unwrap();
    pool
}

/// `grpcurl -d JSON server SERVICE/METHOD`.
async fn call(channel: Channel, path: &str, json: &str) -> Result<serde_json::Value, tonic::Status> {
    let (service, method) = path.split_once('/').unwrap();
    let pool = learn(channel.clone(), service).await;
    let service = pool.get_service_by_name(service).unwrap();
    let method = service.methods().find(|one| one.name() == method).unwrap();
    let mut json = serde_json::Deserializer::from_str(json);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let message = DynamicMessage::deserialize_with_options(method.input(), &mut json, &options).unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = http::uri::PathAndQuery::try_from(format!("/{path}")).unwrap();
    let answer = client.unary(Request::new(message), path, Dynamic(method)).await?;
    Ok(serde_json::to_value(answer.into_inner()).unwrap())
}

#[tokio::test]
async fn a_client_that_knows_nothing_learns_the_schema_and_calls() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let channel = server.channel().await;
    let mut client = ServerReflectionClient::new(channel.clone());
    let listed = ask(&mut client, MessageRequest::ListServices(String::new())).await;
    let MessageResponse::ListServicesResponse(listed) = listed else { panic!("no list") };
    let names: Vec<String> = listed.service.into_iter().map(|service| service.name).collect();
    for own in ["QuoteService", "ReferenceService", "CloseService", "MarkService", "SurfaceService"] {
        assert!(names.contains(&format!("closemark.v1.{own}")), "{names:?}");
    }
    assert!(names.contains(&"grpc.health.v1.Health".to_owned()));

    // The README's calls.
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    // A command may go on in the next line.
    let readme = readme.replace("\\\n", " ");
    let mut called = 0;
    for line in readme.lines().filter(|line| line.starts_with("grpcurl ")) {
        let (path, json) = match line.split_once(" -d '") {
            None => continue,
            Some((_, rest)) => {
                let (json, rest) = rest.split_once("' ").unwrap();
                (rest.split_whitespace().last().unwrap(), json)
            }
        };
        match call(channel.clone(), path, json).await {
            Ok(answer) => assert!(answer.is_object()),
            // A close that is not there yet is an answer too: the call was understood.
            Err(status) => assert_eq!(status.code(), tonic::Code::NotFound, "{line}: {status:?}"),
        }
        called += 1;
    }
    assert!(called >= 2, "the README shows {called} calls");
    let put =
        r#"{"requestId": "r1", "marketDate": "2026-11-20", "rates": {"rates": [{"tenorDays": 30, "zeroRate": 0.04}]}}"#;
    let answer = call(channel.clone(), "closemark.v1.ReferenceService/PutReference", put).await.unwrap();
    assert_eq!(answer["version"], "1");
    let list = call(channel.clone(), "closemark.v1.CloseService/ListCloses", "{}").await.unwrap();
    assert!(list.is_object());

    let mut health = HealthClient::new(channel);
    let status = health.check(HealthCheckRequest { service: String::new() }).await.unwrap().into_inner().status;
    assert_eq!(status, tonic_health::ServingStatus::Serving as i32);
    assert_eq!(server.operations("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(server.operations("/nothing").0, 404);
}
