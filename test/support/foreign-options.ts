// SPDX-License-Identifier: Apache-2.0
// The names of all options of execa, child_process and dockerode, from their documentation.

/** Splits text at white space. */
const split = (text: string) => text.split(/\s+/)

export const foreignOptions: { readonly [library: string]: readonly string[] } = {
  execa:
    split(`preferLocal localDir node nodeOptions nodePath shell cwd env extendEnv input inputFile stdin stdout stderr stdio buffer all
    lines stripFinalNewline maxBuffer encoding ipc serialization ipcInput verbose reject timeout cancelSignal gracefulCancel
    forceKillAfterDelay killSignal detached cleanup uid gid argv0 windowsVerbatimArguments windowsHide`),
  child_process:
    split(`cwd input argv0 stdio env uid gid timeout killSignal maxBuffer encoding shell windowsHide detached signal serialization
    windowsVerbatimArguments execPath execArgv silent`),
  dockerode:
    split(`Image Cmd Entrypoint Env WorkingDir User Hostname Domainname Tty OpenStdin StdinOnce AttachStdin AttachStdout AttachStderr
    ExposedPorts Labels StopSignal StopTimeout NetworkDisabled MacAddress Volumes Healthcheck HostConfig NetworkingConfig name platform
    Memory MemorySwap MemoryReservation MemorySwappiness NanoCpus CpuShares CpuPeriod CpuQuota CpusetCpus CpusetMems PidsLimit
    BlkioWeight BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps OomKillDisable OomScoreAdj Ulimits Binds
    Mounts Tmpfs ReadonlyRootfs NetworkMode PortBindings PublishAllPorts Dns DnsOptions DnsSearch ExtraHosts GroupAdd CapAdd CapDrop
    Privileged SecurityOpt Sysctls ShmSize PidMode IpcMode UTSMode UsernsMode CgroupnsMode CgroupParent Devices DeviceRequests
    DeviceCgroupRules Init AutoRemove RestartPolicy LogConfig Runtime VolumesFrom MaskedPaths ReadonlyPaths StorageOpt Isolation KernelMemory KernelMemoryTCP CpuRealtimePeriod CpuRealtimeRuntime CpuPercent IOMaximumIOps IOMaximumBandwidth Annotations Links Cgroup Shell
    ArgsEscaped OnBuild VolumeDriver ContainerIDFile ConsoleSize Detach DetachKeys hijack`),
}
