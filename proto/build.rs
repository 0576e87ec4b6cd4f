//! Compiles `closemark.v1` without a system protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "common",
        "quote_service",
        "reference_service",
        "close_service",
        "mark_service",
        "surface_service",
        "risk_service",
    ]
    .map(|name| format!("proto/closemark/v1/{name}.proto"));
    for file in &files {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(&files, ["proto"])?;
    tonic_prost_build::configure().build_transport(false).compile_fds(descriptors)?;
    Ok(())
}
