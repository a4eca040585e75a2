// SPDX-License-Identifier: Apache-2.0
// Unix sockets: D-Bus, slirp4netns, cgrulesengd.
export * from './node/sockets.ts'
