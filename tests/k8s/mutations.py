"""For each rule, what it must not let pass."""

from collections.abc import Callable, Iterator

from tests.k8s.mutating import FIRST, POD, Change
from tests.k8s.policies import capacity, configuration, isolation, network, probes, wiring
from tools.k8s_check.manifests import Manifests

Rule = Callable[[Manifests], Iterator[str]]

_SECURITY = f"{FIRST}/securityContext"
_DISRUPTION = "PodDisruptionBudget queries"
_TOKEN = {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}

_ISOLATION: dict[Rule, tuple[Change, ...]] = {
    isolation.the_namespace_takes_restricted_pods_only: (
        Change("Namespace muster", "metadata/labels/pod-security.kubernetes.io~enforce"),
        Change(
            "Namespace muster", "metadata/labels/pod-security.kubernetes.io~enforce", "baseline"
        ),
        Change("Deployment gateway", "metadata/namespace", "default"),
        Change("ServiceAccount auth", "metadata/namespace"),
    ),
    isolation.no_pod_shares_anything_of_its_node: (
        Change("Deployment gateway", f"{POD}/hostNetwork", True),
        Change("StatefulSet rabbitmq", f"{POD}/hostPID", True),
        Change("Deployment auth", f"{POD}/volumes/-", {"name": "x", "hostPath": {"path": "/"}}),
        Change("Deployment gateway", f"{FIRST}/ports/0/hostPort", 80),
    ),
    isolation.every_container_runs_as_somebody_who_is_not_root: (
        Change("Deployment gateway", f"{POD}/securityContext/runAsNonRoot"),
        Change("StatefulSet mongo", f"{POD}/securityContext/runAsUser", 0),
        Change("Deployment auth", f"{POD}/initContainers/0/securityContext/runAsUser", 0),
    ),
    isolation.no_container_can_gain_rights: (
        Change("Deployment gateway", f"{_SECURITY}/allowPrivilegeEscalation"),
        Change("StatefulSet auth-db", f"{_SECURITY}/privileged", True),
    ),
    isolation.every_capability_is_dropped: (
        Change("Deployment queries", f"{_SECURITY}/capabilities"),
        Change("Deployment queries", f"{_SECURITY}/capabilities/add", ["NET_RAW"]),
    ),
    isolation.system_calls_are_filtered: (
        Change("Deployment mailpit", f"{POD}/securityContext/seccompProfile"),
        Change("Deployment auth", f"{_SECURITY}/seccompProfile", {"type": "Unconfined"}),
    ),
    isolation.every_root_file_system_is_read_only: (
        Change("Deployment gateway", f"{_SECURITY}/readOnlyRootFilesystem"),
        Change("StatefulSet employment-db", f"{_SECURITY}/readOnlyRootFilesystem", False),
    ),
    isolation.scratch_space_has_a_size: (
        Change("Deployment gateway", f"{POD}/volumes/0/emptyDir/sizeLimit"),
    ),
    isolation.files_of_secrets_are_for_their_pod_alone: (
        Change("Deployment auth", f"{POD}/volumes/1/secret/defaultMode"),
        Change("Deployment auth", f"{POD}/volumes/1/secret/defaultMode", 0o444),
    ),
    isolation.who_has_files_has_the_group_that_may_use_them: (
        Change("Deployment auth", f"{POD}/securityContext/fsGroup"),
        Change("StatefulSet mongo", f"{POD}/securityContext/fsGroup", 1000),
    ),
    isolation.no_pod_has_a_token_of_the_cluster: (
        Change("Deployment gateway", f"{POD}/automountServiceAccountToken"),
        Change("ServiceAccount rabbitmq", "automountServiceAccountToken", True),
        Change("Deployment gateway", f"{POD}/volumes/-", _TOKEN),
    ),
    isolation.each_service_has_an_account_of_its_own: (
        Change("Deployment gateway", f"{POD}/serviceAccountName"),
        Change("Deployment gateway", f"{POD}/serviceAccountName", "auth"),
        Change("ServiceAccount queries"),
    ),
    isolation.no_pod_is_told_of_services_by_variables: (
        Change("Deployment gateway", f"{POD}/enableServiceLinks"),
    ),
}

_PROBES: dict[Rule, tuple[Change, ...]] = {
    probes.every_container_that_stays_has_three_probes: (
        Change("Deployment gateway", f"{FIRST}/startupProbe"),
        Change("StatefulSet mongo", f"{FIRST}/livenessProbe"),
        Change("Deployment dbuploader-consumer", f"{FIRST}/readinessProbe"),
    ),
    probes.liveness_asks_nobody_else: (
        Change("Deployment gateway", f"{FIRST}/livenessProbe/httpGet/path", "/readyz"),
        Change("Deployment dbuploader-consumer", f"{FIRST}/livenessProbe/httpGet/path", "/readyz"),
    ),
    probes.liveness_of_ours_is_their_own_word: (
        Change("Deployment dbuploader-consumer", f"{FIRST}/livenessProbe/httpGet/path", "/metrics"),
        Change("Deployment queries", f"{FIRST}/livenessProbe", {"tcpSocket": {"port": "http"}}),
    ),
    probes.a_slow_moment_is_no_death: (
        Change("Deployment gateway", f"{FIRST}/livenessProbe/failureThreshold", 1),
        Change("StatefulSet auth-db", f"{FIRST}/livenessProbe/periodSeconds", 2),
    ),
    probes.readiness_waits_for_dependencies_and_schema: (
        Change("Deployment queries", f"{FIRST}/readinessProbe/httpGet/path", "/healthz"),
    ),
    probes.a_slow_start_is_waited_for: (
        Change("Deployment auth", f"{FIRST}/startupProbe/failureThreshold", 3),
    ),
    probes.every_pod_has_the_time_that_its_drain_takes: (
        Change("Deployment gateway", f"{POD}/terminationGracePeriodSeconds"),
        Change("Deployment dbuploader-consumer", f"{POD}/terminationGracePeriodSeconds", 10),
        Change("Deployment queries", f"{FIRST}/lifecycle/preStop/sleep/seconds", 60),
    ),
    probes.who_serves_http_is_taken_out_of_its_service_before_it_stops: (
        Change("Deployment gateway", f"{FIRST}/lifecycle"),
        Change("Deployment auth", f"{FIRST}/lifecycle/preStop/sleep/seconds", 1),
    ),
}

_CAPACITY: dict[Rule, tuple[Change, ...]] = {
    capacity.every_container_has_requests_and_a_memory_limit: (
        Change("Deployment gateway", f"{FIRST}/resources"),
        Change("Deployment dbuploader", f"{POD}/initContainers/0/resources/requests/cpu"),
        Change("StatefulSet mongo", f"{FIRST}/resources/limits/memory"),
        Change("Deployment auth", f"{FIRST}/resources/requests/memory", "64Gi"),
        Change("Deployment auth", f"{FIRST}/resources/requests/cpu", 8),
    ),
    capacity.the_memory_limit_holds_what_was_measured: (
        Change("Deployment dbuploader-consumer", f"{FIRST}/resources/limits/memory", "200Mi"),
        Change("Deployment auth", f"{FIRST}/resources/limits/memory", "384Mi"),
        Change("Deployment gateway", f"{POD}/volumes/0/emptyDir/sizeLimit", "1Gi"),
    ),
    capacity.the_memory_requested_is_what_is_used_at_rest: (
        Change("Deployment gateway", f"{FIRST}/resources/requests/memory", "64Mi"),
        Change("Deployment queries", f"{FIRST}/resources/requests/memory"),
    ),
    capacity.every_server_has_a_disruption_budget_that_lets_one_go: (
        Change("PodDisruptionBudget gateway"),
        Change(_DISRUPTION, "spec/maxUnavailable", 0),
        Change(_DISRUPTION, "spec/unhealthyPodEvictionPolicy"),
        Change(_DISRUPTION, "spec/unhealthyPodEvictionPolicy", "IfHealthyBudget"),
        Change(_DISRUPTION, "spec/selector/matchLabels", {"app.kubernetes.io/part-of": "muster"}),
        Change(_DISRUPTION, "spec/selector/matchLabels/app.kubernetes.io~name", "query"),
    ),
    capacity.replicas_are_spread_over_nodes_and_zones: (
        Change("Deployment gateway", f"{POD}/topologySpreadConstraints"),
        Change("Deployment auth", f"{POD}/topologySpreadConstraints/0"),
        Change("StatefulSet mongo", f"{POD}/topologySpreadConstraints/1"),
        Change("StatefulSet rabbitmq", f"{POD}/topologySpreadConstraints/0/labelSelector", {}),
    ),
    capacity.updates_leave_no_gap: (
        Change("Deployment gateway", "spec/strategy/rollingUpdate/maxUnavailable", 1),
        Change("Deployment auth", "spec/strategy", {"type": "Recreate"}),
        Change("StatefulSet mongo", "spec/updateStrategy/type", "OnDelete"),
    ),
    capacity.who_answers_users_scales_with_the_load: (
        Change("HorizontalPodAutoscaler queries"),
        Change("HorizontalPodAutoscaler auth", "spec/scaleTargetRef/name", "author"),
        Change("HorizontalPodAutoscaler auth", "spec/scaleTargetRef/kind", "StatefulSet"),
        Change("HorizontalPodAutoscaler gateway", "spec/maxReplicas", 1),
        Change(
            "HorizontalPodAutoscaler gateway",
            "spec/metrics/0/resource/target/averageUtilization",
            700,
        ),
        Change("Deployment gateway", "spec/replicas", 3),
    ),
    capacity.every_backend_keeps_its_data_on_a_claim_of_a_named_class: (
        Change("StatefulSet mongo", "spec/volumeClaimTemplates", []),
        Change("StatefulSet rabbitmq", "spec/volumeClaimTemplates/0/spec/storageClassName"),
        Change("StatefulSet auth-db", f"{FIRST}/volumeMounts/0"),
    ),
}

_NETWORK: dict[Rule, tuple[Change, ...]] = {
    network.all_traffic_is_denied_that_no_policy_names: (
        Change("NetworkPolicy default-deny"),
        Change("NetworkPolicy default-deny", "spec/policyTypes", ["Ingress"]),
        Change("NetworkPolicy default-deny", "spec/egress", [{}]),
        Change("NetworkPolicy default-deny", "spec/podSelector/matchLabels", {"a": "b"}),
    ),
    network.everybody_may_ask_for_names: (
        Change("NetworkPolicy all-to-dns"),
        Change("NetworkPolicy all-to-dns", "spec/egress/0/ports/0"),
        Change("NetworkPolicy all-to-dns", "spec/egress/0/to/0"),
        Change(
            "NetworkPolicy all-to-dns",
            "spec/egress/0/to/0/podSelector/matchExpressions/0/values/1",
        ),
        Change("NetworkPolicy all-to-dns", "spec/egress/0/to/1/ipBlock/cidr", "169.254.20.11/32"),
        Change("NetworkPolicy all-to-dns", "spec/egress/0/to/2"),
        Change("NetworkPolicy all-to-dns", "spec/egress/1/ports/1/port", 53),
    ),
    network.every_open_edge_names_its_ports_and_its_peers: (
        Change("NetworkPolicy callers-to-mongo", "spec/egress/0/ports"),
        Change("NetworkPolicy auth-from-callers", "spec/ingress/0/from"),
        Change("NetworkPolicy auth-from-callers", "spec/ingress/0/from/0/podSelector", {}),
        Change("NetworkPolicy mongo-from-callers", "spec/ingress/-", {}),
    ),
    network.every_policy_and_service_selects_somebody: (
        Change("Service auth", "spec/selector/app.kubernetes.io~name", "author"),
        Change("Service auth", "spec/selector", {"app.kubernetes.io/part-of": "muster"}),
        Change(
            "NetworkPolicy auth-from-callers",
            "spec/podSelector/matchLabels/app.kubernetes.io~name",
            "author",
        ),
    ),
    network.nothing_is_reached_from_outside_but_through_the_ingress: (
        Change("Service gateway", "spec/type", "LoadBalancer"),
        Change("Service rabbitmq", "spec/type", "NodePort"),
    ),
}

_CONFIGURATION: dict[Rule, tuple[Change, ...]] = {
    configuration.every_image_is_its_publishers_and_pinned: (
        Change("StatefulSet mongo", f"{FIRST}/image", "mongo"),
        Change("StatefulSet mongo", f"{FIRST}/image", "mongo:latest"),
        Change("StatefulSet rabbitmq", f"{FIRST}/image", "bitnami/rabbitmq:4.3"),
        Change("StatefulSet auth-db", f"{FIRST}/image", "mysql@sha256:abc"),
    ),
    configuration.every_kind_is_one_of_kubernetes_itself: (
        Change("Service gateway", "apiVersion", "serving.knative.dev/v1"),
    ),
    configuration.what_is_configured_is_named_after_its_content: (
        Change("ConfigMap gateway", "metadata/name", "gateway"),
        Change("Secret auth", "metadata/name", "auth"),
    ),
    configuration.secrets_stand_in_secrets_alone: (
        Change(
            "Deployment queries",
            f"{FIRST}/env/0",
            {"name": "MUSTER_EMPLOYMENT_DATABASE_URL", "value": "mysql://queries:abc@db:3306/db"},
        ),
        Change(
            "StatefulSet rabbitmq",
            f"{FIRST}/env/1",
            {"name": "MUSTER_RABBITMQ_AUTH_PASSWORD", "value": "muster"},
        ),
        Change("ConfigMap auth-admin", "data/MUSTER_ADMIN_PASSWORD", "abc"),
    ),
    configuration.each_schema_is_migrated_before_its_service_starts: (
        Change("Deployment auth", f"{POD}/initContainers/0"),
        Change("Deployment dbuploader", f"{POD}/initContainers/0/command", ["true"]),
        Change("Deployment dbuploader-consumer", f"{FIRST}/image", "muster/dbuploader:2.0.0"),
    ),
    configuration.the_accounts_of_migrations_are_theirs_alone: (
        Change("Deployment auth", f"{POD}/initContainers/0/command", ["python", "-m", "auth"]),
    ),
    configuration.all_can_be_applied_again: (Change("Deployment mailpit", "kind", "Job"),),
}

_WIRING: dict[Rule, tuple[Change, ...]] = {
    wiring.every_mount_is_of_a_volume_and_every_volume_is_mounted: (
        Change("Deployment queries", f"{FIRST}/volumeMounts/0"),
        Change("StatefulSet mongo", f"{FIRST}/volumeMounts/0/name", "database"),
    ),
    wiring.every_stateful_set_is_under_a_service_of_its_own: (
        Change("StatefulSet rabbitmq", "spec/serviceName", "rabbit"),
        Change("StatefulSet rabbitmq", "spec/serviceName", "rabbitmq"),
        Change("StatefulSet auth-db", "spec/serviceName", "employment-db"),
    ),
    wiring.every_claim_is_of_a_class_that_there_is: (
        Change("StorageClass muster"),
        Change("StatefulSet mongo", "spec/volumeClaimTemplates/0/spec/storageClassName", "fast"),
    ),
    wiring.the_ingress_sends_to_ports_that_there_are: (
        Change("Ingress gateway", "spec/rules/0/http/paths/0/backend/service/name", "gate"),
        Change("Ingress gateway", "spec/rules/0/http/paths/1/backend/service/port/name", "web"),
        Change("Service gateway", "spec/ports/0/name", "web"),
    ),
}

MUTATIONS: dict[Rule, tuple[Change, ...]] = (
    _ISOLATION | _PROBES | _CAPACITY | _NETWORK | _CONFIGURATION | _WIRING
)
