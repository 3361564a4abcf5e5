"""Why the fields of the rendered resources are what they are, by field name, or by `field: VALUE`.

One or two sentences each, written as a comment where the field first occurs in a file. The README beside this says
more.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_COMMON: Final = {
    "pod-security.kubernetes.io/enforce": "Refuses every pod that has more rights than those rendered here.",
    "automountServiceAccountToken": "Nothing here asks the API server for anything.",
    "enableServiceLinks": "No variables with the addresses of every Service of the namespace.",
    "runAsNonRoot": "With the read-only file system and without capabilities: what breaks in can change nothing but "
    "the mounted volumes.",
    "emptyDir": "In memory, bounded, gone with the pod.",
    "limits": "Of memory as much as is requested: whoever takes more than he asked for is evicted first.",
    "topologySpreadConstraints": "One zone or one node that is lost must not take all of them. Zones are a wish, "
    "because a volume may be bound to one.",
    "kind: PodDisruptionBudget": "Nodes are drained of one pod after the other.",
    "unhealthyPodEvictionPolicy": "A pod that serves nobody must not keep a node from being drained.",
    "policyTypes": "Both are named, so what is not listed is refused in both directions.",
    "ipBlock": "A network policy knows no names: these are the networks that the mesh file gives.",
    "k8s-app": "Where names are looked up.",
}

GATEWAY: Final[Mapping[str, str]] = MappingProxyType(
    {
        **_COMMON,
        "podManagementPolicy": "Gateways need nothing of each other: one that cannot start keeps no other waiting.",
        "minReadySeconds": "A new one must hold for a moment before the next old one is stopped.",
        "persistentVolumeClaimRetentionPolicy": "Evidence outlives what made it. Volumes are deleted by hand, after "
        "`situs audit verify`, shipping and the end of the retention.",
        "terminationGracePeriodSeconds": "Envoy's sleep, what the sidecar is given after it, and some seconds.",
        "fsGroup": "The shared socket has the mode 0660: Envoy and the sidecar are different users of this group. "
        "Volumes are given to it, too.",
        "fsGroupChangePolicy": "Otherwise every start would open all files of the volumes to the group, the signing "
        "key too, and the sidecar refuses a key that others can read.",
        "initContainers": "A sidecar of Kubernetes' own kind: ready before Envoy starts, so there is no request "
        "without somebody to ask; stopped after Envoy has ended, so the last reports of Envoy are recorded.",
        "restartPolicy: Always": "What makes it a sidecar: it goes on beside the containers.",
        "startupProbe": "Envoy is not started before. A long log takes time to recover.",
        "livenessProbe": "Answered by a thread of its own. A sidecar that is overloaded is not ready, and is not "
        "killed: a restart would only add the recovery of the log.",
        "exec": "Stopping begins here, for all containers at once: Envoy is told to end connections with each answer. "
        "Envoy's image has neither a shell nor a client to do it with.",
        "cpu": "requests_per_s, times the measured CPU of a request, at 70 % of a CPU. There is no limit: being "
        "throttled stalls every request in flight, and Envoy refuses what waits too long.",
        "tcpSocket": "Envoy's admin port is on loopback, where the kubelet cannot ask. The listener opens when Envoy "
        "is ready.",
        "sleep": "Envoy ends at once when it is told to, so it is told when the longest request has had its time.",
        "secretName": "By name only: nothing secret is rendered.",
        "defaultMode": "0440 in decimal: for the group of the pod.",
        "accessModes": "One writer for each log.",
        "clusterIP: None": "So each pod has a name, by which its metrics are found.",
        "externalTrafficPolicy": "Otherwise nodes put their own address in place of the client's, which says whose law "
        "applies.",
        "configMapGenerator": "Envoy reads its configuration once: another configuration is another name, and the pods "
        "are replaced one after the other. The sidecar watches its policy, which keeps its name.",
    }
)

CELLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **_COMMON,
        "terminationGracePeriodSeconds": "The drain, and some seconds.",
        "fsGroup": "Volumes are given to this group.",
        "fsGroupChangePolicy": "A store of large models is not walked through at every start.",
        "rollingUpdate": "Capacity stays while cells are replaced; with GPUs no spare one is asked for.",
        "startupProbe": "A large model takes minutes to load.",
        "cpu": "cpu_millis. There is no limit: being throttled would stall what is in flight.",
        "clusterIP: None": "By their own addresses: Envoy sees the health of each cell and balances over all.",
        "externalTrafficPolicy": "Otherwise nodes put their own address in place of the gateway's, which the network "
        "policy admits.",
        "secretName": "By name only: nothing secret is rendered.",
        "defaultMode": "0440 in decimal: for the group of the pod.",
        "tcpSocket": "A cell answers nobody without a certificate, and the kubelet has none. The port opens when the "
        "models are loaded; Envoy and the sidecar, which can, ask for more.",
        "tolerations": "Nodes with GPUs are usually kept for those who ask for them.",
        "nodeSelector": "Holds the declaration to a fact of the cluster: in another region's cluster these pods wait "
        "for ever, and serve nobody.",
        "ingress": "From the gateways alone: a request that no sidecar decided reaches no cell.",
    }
)

KSERVE: Final[Mapping[str, str]] = MappingProxyType(
    {
        **CELLS,
        "cpu": "cpu_millis. Where no limit is written KServe adds one of its own (1 CPU), so the same stands there.",
        "limits": "In full, or KServe's own defaults would take their place.",
        "autoSelect": "Chosen by name only: no other InferenceService is to run under this region's name by accident.",
        "networking.kserve.io/visibility": "No way in past the gateway: KServe makes no ingress.",
        "serving.kserve.io/deploymentMode": "A Deployment, a Service and an autoscaler, without Knative, which would "
        "scale to zero: to a region that fails its health checks.",
        "scaleMetric": "By CPU; with GPUs choose what your metrics offer.",
    }
)
