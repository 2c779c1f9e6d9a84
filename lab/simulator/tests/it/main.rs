//! The engine, and the model against closed forms and known behaviour.

mod arms;
mod behaviour;
mod changes;
mod engine;
mod faults;
mod fixture;
mod networks;
mod policies;
mod predictions;
mod registries;
mod scale;
mod schedules;
mod sharing;
mod stations;
