mod pulls;
mod script;
