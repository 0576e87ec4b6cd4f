//! Compiles `closemark.v1` without a system protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = include!("files.rs").map(|name| format!("proto/closemark/v1/{name}.proto"));
    for file in &files {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(&files, ["proto"])?;
    // What reflection serves; written without source positions, which nobody asks for over the wire.
    let mut bare = descriptors.clone();
    bare.file.iter_mut().for_each(|file| file.source_code_info = None);
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("closemark_v1.binpb"), prost::Message::encode_to_vec(&bare))?;
    // Clients and servers are generated over any transport; only the server's crate has one.
    tonic_prost_build::configure().build_transport(false).compile_fds(descriptors)?;
    Ok(())
}
