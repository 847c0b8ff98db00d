package org.elasticsearch.rest.root;

import java.io.IOException;
import java.util.List;
import java.util.function.Supplier;

import org.elasticsearch.Build;
import org.elasticsearch.Version;
import org.elasticsearch.action.admin.cluster.state.ClusterStateRequest;
import org.elasticsearch.action.admin.cluster.state.ClusterStateResponse;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.common.settings.ClusterSettings;
import org.elasticsearch.common.settings.IndexScopedSettings;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.settings.SettingsFilter;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestController;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.rest.action.RestBuilderListener;
import org.elasticsearch.xcontent.XContentBuilder;

/** What answers on « / », which the core alone does not have: the official module of this name is in no registry. */
public final class MainRestPlugin extends Plugin implements ActionPlugin {
    @Override
    public List<RestHandler> getRestHandlers(
        Settings settings, RestController controller, ClusterSettings cluster, IndexScopedSettings index, SettingsFilter filter,
        IndexNameExpressionResolver names, Supplier<DiscoveryNodes> nodes
    ) {
        return List.of(new Main(Node.NODE_NAME_SETTING.get(settings)));
    }

    private static final class Main extends BaseRestHandler {
        private final String node;

        Main(String node) {
            this.node = node;
        }

        @Override
        public String getName() {
            return "main_action";
        }

        @Override
        public List<Route> routes() {
            return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/"));
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            ClusterStateRequest state = new ClusterStateRequest().clear().local(true).metadata(true);
            return channel -> client.admin().cluster().state(state, new RestBuilderListener<ClusterStateResponse>(channel) {
                @Override
                public RestResponse buildResponse(ClusterStateResponse response, XContentBuilder builder) throws IOException {
                    // Readable by a person, unless the parameter says otherwise.
                    if (!request.hasParam("pretty")) {
                        builder.prettyPrint().lfAtEnd();
                    }
                    write(builder, response);
                    return new RestResponse(RestStatus.OK, builder);
                }
            });
        }

        private void write(XContentBuilder builder, ClusterStateResponse response) throws IOException {
            Build build = Build.current();
            builder.startObject();
            builder.field("name", node);
            builder.field("cluster_name", response.getClusterName().value());
            builder.field("cluster_uuid", response.getState().metadata().clusterUUID());
            builder.startObject("version");
            builder.field("number", build.qualifiedVersion());
            builder.field("build_flavor", build.flavor());
            builder.field("build_type", build.type().displayName());
            builder.field("build_hash", build.hash());
            builder.field("build_date", build.date());
            builder.field("build_snapshot", build.isSnapshot());
            builder.field("lucene_version", org.apache.lucene.util.Version.LATEST.toString());
            builder.field("minimum_wire_compatibility_version", Version.CURRENT.minimumCompatibilityVersion().toString());
            builder.field("minimum_index_compatibility_version", "7.0.0");
            builder.endObject();
            builder.field("tagline", "You Know, for Search");
            builder.endObject();
        }
    }
}
