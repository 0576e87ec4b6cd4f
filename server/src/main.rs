//! closemark: end-of-day mark prices of every listed US option.

use std::process::ExitCode;

mod cli;
mod close;
mod curve;
mod exit;
mod export;
mod generate;
mod import;
mod lifecycle;
mod margin;
mod marking;
mod output;
mod pipeline;
mod profile;
mod progress;
mod published;
#[cfg(feature = "serve")]
mod serve;
mod sharding;
mod show;
mod source;
mod summary;
mod text;
mod verify;

use cli::Command;
use exit::Exit;

fn main() -> ExitCode {
    let command = match cli::parse() {
        Ok(command) => command,
        Err(exit) => return exit.code(),
    };
    let done = match command {
        Command::Close(arguments) => close::run(&arguments),
        Command::Assemble(arguments) => sharding::assemble(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Margin(arguments) => margin::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Show(arguments) => show::run(&arguments),
        Command::Override(arguments) => lifecycle::override_mark(&arguments),
        Command::Finalize(arguments) => lifecycle::finalize(&arguments),
        #[cfg(feature = "serve")]
        Command::Serve(arguments) => serve::run(&arguments),
    };
    done.unwrap_or_else(|error| Exit::fatal(&error)).code()
}
