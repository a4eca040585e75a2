// SPDX-License-Identifier: Apache-2.0
// Connects to and serves Unix sockets: of D-Bus, slirp4netns and cgrulesengd.
export * from './node/sockets.ts'
