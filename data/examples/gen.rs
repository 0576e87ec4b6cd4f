use closemark_data::generate::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let out = std::path::Path::new(&a[2]);
    let r = match a[1].as_str() {
        "sample" => GenerateRequest::sample(out),
        "universe" => GenerateRequest { underlyings: a[3].parse().unwrap(), ..GenerateRequest::universe(1, out) },
        _ => GenerateRequest::new(1, a[3].parse().unwrap(), out),
    };
    println!("{:?}", generate(&r));
}
