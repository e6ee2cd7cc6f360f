# Sources run as they are, so the image needs Node, the packages and src. Build: docker build -t vane .
FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The image has its own Node: without its script the package of that name brings none.
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force

FROM node:24-slim
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY src src
COPY deploy/docker/vane.yaml /etc/vane/vane.yaml
# The registry and whatever else must outlive the container.
RUN install -d -o 10001 -g 10001 /var/lib/vane
ENV NODE_ENV=production
USER 10001:10001
VOLUME /var/lib/vane
# Frontend, statistics and metrics, Consul HTTP API, Consul DNS
EXPOSE 8080 8404 8500 8600/tcp 8600/udp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch(process.env.VANE_HEALTHZ ?? 'http://127.0.0.1:8404/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/src/bin/vane.mjs"]
CMD ["run", "-f", "/etc/vane/vane.yaml"]
