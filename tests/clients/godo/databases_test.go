// DigitalOcean's own Go client, which doctl and Terraform are made of, plays the whole story.
//
// POOLKEEPER_URL, POOLKEEPER_TOKEN and POOLKEEPER_CA say where; tests/clients/test_godo.py
// starts what is there and runs each of these.
package godo_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/digitalocean/godo"
	_ "github.com/lib/pq"
	"golang.org/x/oauth2"
)

const patience = 60 * time.Second

var background = context.Background()

// connect returns a client that trusts Poolkeeper's CA or, without POOLKEEPER_CA, what the system trusts.
func connect(t *testing.T) *godo.Client {
	t.Helper()
	trust := &tls.Config{}
	if path := os.Getenv("POOLKEEPER_CA"); path != "" {
		pem, err := os.ReadFile(path)
		check(t, err)
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM(pem) {
			t.Fatal("no certificate in POOLKEEPER_CA")
		}
	}
	transport := &http.Transport{TLSClientConfig: trust}
	ctx := context.WithValue(background, oauth2.HTTPClient, &http.Client{Transport: transport})
	source := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: os.Getenv("POOLKEEPER_TOKEN")})
	client, err := godo.New(oauth2.NewClient(ctx, source), godo.SetBaseURL(os.Getenv("POOLKEEPER_URL")))
	check(t, err)
	return client
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, what string, got, want interface{}) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// refused checks that a call failed with this status and a message with this text.
func refused(t *testing.T, err error, status int, text string) {
	t.Helper()
	answer, ok := err.(*godo.ErrorResponse)
	if !ok {
		t.Fatalf("wanted a refusal, got %v", err)
	}
	expect(t, "status", answer.Response.StatusCode, status)
	if !strings.Contains(answer.Message, text) {
		t.Fatalf("%q is not in %q", text, answer.Message)
	}
}

// createCluster returns one that is online, and destroys it at the end of the test.
func createCluster(t *testing.T, client *godo.Client, name string) *godo.Database {
	t.Helper()
	created, _, err := client.Databases.Create(background, &godo.DatabaseCreateRequest{
		Name: name, EngineSlug: "pg", SizeSlug: "db-s-1vcpu-1gb", Region: "nyc1", NumNodes: 1,
		Tags: []string{"env:test"},
	})
	check(t, err)
	t.Cleanup(func() {
		_, err := client.Databases.Delete(background, created.ID)
		check(t, err)
	})
	expect(t, "status at first", created.Status, "creating")
	online := awaitOnline(t, client, created.ID)
	expect(t, "the first answer's connection", created.Connection, online.Connection)
	return online
}

func awaitOnline(t *testing.T, client *godo.Client, id string) *godo.Database {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		found, _, err := client.Databases.Get(background, id)
		check(t, err)
		if found.Status == "online" {
			return found
		}
	}
	t.Fatal("the cluster did not come online")
	return nil
}

// query runs one statement through a URI as the API returned it.
func query(t *testing.T, uri, statement string) string {
	t.Helper()
	address, err := url.Parse(uri)
	check(t, err)
	values := address.Query()
	values.Set("sslmode", "verify-full")
	values.Set("sslrootcert", os.Getenv("POOLKEEPER_CA"))
	// Without it, lib/pq prepares a statement that transaction mode would lose.
	values.Set("binary_parameters", "yes")
	address.RawQuery = values.Encode()
	database, err := sql.Open("postgres", address.String())
	check(t, err)
	defer database.Close()
	var found string
	check(t, database.QueryRow(statement).Scan(&found))
	return found
}

func TestClusterHasEverythingThatClientsDereference(t *testing.T) {
	client := connect(t)
	cluster := createCluster(t, client, "godo-cluster")
	for what, value := range map[string]string{
		"connection uri": cluster.Connection.URI, "private uri": cluster.PrivateConnection.URI,
		"private network": cluster.PrivateNetworkUUID, "window": cluster.MaintenanceWindow.Hour,
		"version": cluster.VersionSlug, "password": cluster.Connection.Password,
	} {
		if value == "" {
			t.Errorf("%s is empty", what)
		}
	}
	expect(t, "urn", cluster.URN(), "do:dbaas:"+cluster.ID)
	expect(t, "tags", cluster.Tags, []string{"env:test"})
	expect(t, "databases", cluster.DBNames, []string{"defaultdb"})
	if time.Since(cluster.CreatedAt) > time.Hour {
		t.Errorf("created at %s", cluster.CreatedAt)
	}
	all, response, err := client.Databases.List(background, &godo.ListOptions{Page: 1, PerPage: 200})
	check(t, err)
	expect(t, "clusters", len(all), 1)
	if response.Rate.Limit < 0 {
		t.Errorf("rate limit %d", response.Rate.Limit)
	}
	expect(t, "through the direct connection", query(t, cluster.Connection.URI, "SELECT 'direct'"), "direct")
}

func TestPoolsFromCreateToDelete(t *testing.T) {
	client := connect(t)
	cluster := createCluster(t, client, "godo-pools")
	_, _, err := client.Databases.CreateDB(background, cluster.ID, &godo.DatabaseCreateDBRequest{Name: "app-db"})
	check(t, err)
	user, _, err := client.Databases.CreateUser(background, cluster.ID, &godo.DatabaseCreateUserRequest{Name: "app-user"})
	check(t, err)
	expect(t, "role", user.Role, "normal")

	for _, mode := range []string{"transaction", "session", "statement"} {
		pool, response, err := client.Databases.CreatePool(background, cluster.ID, &godo.DatabaseCreatePoolRequest{
			User: "app-user", Name: "pool-" + mode, Size: 3, Database: "app-db", Mode: mode,
		})
		check(t, err)
		expect(t, "code", response.StatusCode, 201)
		expect(t, "database", pool.Connection.Database, pool.Name)
		expect(t, mode, query(t, pool.Connection.URI, "SELECT current_user || '@' || current_database()"), "app-user@app-db")
	}
	inbound, _, err := client.Databases.CreatePool(background, cluster.ID, &godo.DatabaseCreatePoolRequest{
		Name: "inbound", Size: 1, Database: "app-db", Mode: "transaction",
	})
	check(t, err)
	expect(t, "an inbound pool's user", inbound.User, "")
	expect(t, "its connection's user", inbound.Connection.User, "")
	if inbound.PrivateConnection.URI == "" {
		t.Error("no private URI")
	}

	pools, _, err := client.Databases.ListPools(background, cluster.ID, nil)
	check(t, err)
	expect(t, "pools", len(pools), 4)
	_, _, err = client.Databases.CreatePool(background, cluster.ID, &godo.DatabaseCreatePoolRequest{
		User: "app-user", Name: "pool-session", Size: 3, Database: "app-db", Mode: "session",
	})
	refused(t, err, 422, "pool name is not available")
	_, _, err = client.Databases.CreatePool(background, cluster.ID, &godo.DatabaseCreatePoolRequest{
		User: "app-user", Name: "too-big", Size: 20, Database: "app-db", Mode: "session",
	})
	refused(t, err, 422, "12 left of 22")
	_, err = client.Databases.DeletePool(background, cluster.ID, "pool-session")
	check(t, err)
	_, _, err = client.Databases.GetPool(background, cluster.ID, "pool-session")
	refused(t, err, 404, "not found")
	_, err = client.Databases.DeletePool(background, cluster.ID, "pool-session")
	refused(t, err, 404, "not found")
}

func TestReplacedPoolKeepsItsClients(t *testing.T) {
	client := connect(t)
	cluster := createCluster(t, client, "godo-replace")
	request := &godo.DatabaseCreatePoolRequest{
		User: "doadmin", Name: "web", Size: 2, Database: "defaultdb", Mode: "transaction",
	}
	pool, _, err := client.Databases.CreatePool(background, cluster.ID, request)
	check(t, err)
	answered, stop, failed := make(chan bool), make(chan bool), make(chan error, 1)
	go keepAsking(pool.Connection.URI, answered, stop, failed)
	// From its first answer on it is a client that must not notice anything.
	select {
	case <-answered:
	case err := <-failed:
		t.Fatal(err)
	}
	for size := 3; size < 6; size++ {
		_, err = client.Databases.DeletePool(background, cluster.ID, "web")
		check(t, err)
		request.Size = size
		_, _, err = client.Databases.CreatePool(background, cluster.ID, request)
		check(t, err)
	}
	close(stop)
	check(t, <-failed)
	found, _, err := client.Databases.GetPool(background, cluster.ID, "web")
	check(t, err)
	expect(t, "size", found.Size, 5)
}

// keepAsking holds one connection, closes answered at its first answer, and reports its first
// failure, or nil when it is stopped.
func keepAsking(uri string, answered chan<- bool, stop <-chan bool, failed chan<- error) {
	separator := "&"
	if !strings.Contains(uri, "?") {
		separator = "?"
	}
	database, err := sql.Open("postgres", uri+separator+"binary_parameters=yes")
	if err != nil {
		failed <- err
		return
	}
	defer database.Close()
	connection, err := database.Conn(background)
	if err == nil {
		_, err = connection.ExecContext(background, "SELECT 1")
	}
	if err == nil {
		close(answered)
	}
	for err == nil {
		select {
		case <-stop:
			failed <- nil
			return
		default:
			_, err = connection.ExecContext(background, "SELECT pg_sleep(0.01)")
		}
	}
	failed <- err
}

func TestTenPoolsAtOnceAsTerraformCreatesThem(t *testing.T) {
	client := connect(t)
	cluster := createCluster(t, client, "godo-parallel")
	inParallel(t, 10, func(i int) error {
		_, _, err := client.Databases.CreateDB(background, cluster.ID,
			&godo.DatabaseCreateDBRequest{Name: fmt.Sprintf("db-%d", i)})
		return err
	})
	inParallel(t, 10, func(i int) error {
		_, _, err := client.Databases.CreateUser(background, cluster.ID,
			&godo.DatabaseCreateUserRequest{Name: fmt.Sprintf("user-%d", i)})
		return err
	})
	inParallel(t, 10, func(i int) error {
		_, _, err := client.Databases.CreatePool(background, cluster.ID, &godo.DatabaseCreatePoolRequest{
			User: fmt.Sprintf("user-%d", i), Name: fmt.Sprintf("pool-%d", i), Size: 2,
			Database: fmt.Sprintf("db-%d", i), Mode: "transaction",
		})
		return err
	})
	inParallel(t, 10, func(i int) error {
		_, err := client.Databases.DeletePool(background, cluster.ID, fmt.Sprintf("pool-%d", i))
		return err
	})
}

func inParallel(t *testing.T, count int, call func(int) error) {
	t.Helper()
	var group sync.WaitGroup
	failures := make([]error, count)
	for i := 0; i < count; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			failures[i] = call(i)
		}(i)
	}
	group.Wait()
	for _, failure := range failures {
		check(t, failure)
	}
}

func TestUsersAndDatabases(t *testing.T) {
	client := connect(t)
	cluster := createCluster(t, client, "godo-users")
	user, _, err := client.Databases.CreateUser(background, cluster.ID, &godo.DatabaseCreateUserRequest{Name: "reader"})
	check(t, err)
	if user.MySQLSettings != nil {
		t.Error("a PostgreSQL user has MySQL settings")
	}
	again, _, err := client.Databases.ResetUserAuth(background, cluster.ID, "reader", &godo.DatabaseResetUserAuthRequest{})
	check(t, err)
	if again.Password == "" || again.Password == user.Password {
		t.Error("the password is not a new one")
	}
	found, _, err := client.Databases.GetUser(background, cluster.ID, "reader")
	check(t, err)
	expect(t, "password", found.Password, again.Password)
	users, _, err := client.Databases.ListUsers(background, cluster.ID, nil)
	check(t, err)
	expect(t, "users", len(users), 2)
	_, err = client.Databases.DeleteUser(background, cluster.ID, "reader")
	check(t, err)
	_, err = client.Databases.DeleteUser(background, cluster.ID, "doadmin")
	if err == nil {
		t.Error("doadmin could be deleted")
	}

	_, _, err = client.Databases.CreateDB(background, cluster.ID, &godo.DatabaseCreateDBRequest{Name: "orders"})
	check(t, err)
	_, _, err = client.Databases.GetDB(background, cluster.ID, "orders")
	check(t, err)
	databases, _, err := client.Databases.ListDBs(background, cluster.ID, nil)
	check(t, err)
	expect(t, "databases", databases, []string{"{defaultdb}", "{orders}"})
	_, err = client.Databases.DeleteDB(background, cluster.ID, "orders")
	check(t, err)
}

func TestTrustedSourcesKeepTheirIdentity(t *testing.T) {
	client := connect(t)
	cluster := createCluster(t, client, "godo-firewall")
	put := func(rules ...*godo.DatabaseFirewallRule) []godo.DatabaseFirewallRule {
		_, err := client.Databases.UpdateFirewallRules(background, cluster.ID,
			&godo.DatabaseUpdateFirewallRulesRequest{Rules: rules})
		check(t, err)
		found, _, err := client.Databases.GetFirewallRules(background, cluster.ID)
		check(t, err)
		return found
	}
	first := put(&godo.DatabaseFirewallRule{Type: "ip_addr", Value: "127.0.0.1"})
	expect(t, "rules", len(first), 1)
	expect(t, "cluster", first[0].ClusterUUID, cluster.ID)
	both := put(&first[0], &godo.DatabaseFirewallRule{Type: "tag", Value: "backend"})
	expect(t, "rules", len(both), 2)
	expect(t, "uuid", both[0].UUID, first[0].UUID)
	expect(t, "still allowed", query(t, cluster.Connection.URI, "SELECT 'in'"), "in")
	put(&godo.DatabaseFirewallRule{Type: "ip_addr", Value: "127.0.0.77/32"})
	address, err := url.Parse(cluster.Connection.URI)
	check(t, err)
	database, err := sql.Open("postgres", address.String())
	check(t, err)
	defer database.Close()
	if database.Ping() == nil {
		t.Error("an address that is not trusted could connect")
	}
	expect(t, "rules", len(put()), 0)
	expect(t, "open again", query(t, cluster.Connection.URI, "SELECT 'in'"), "in")
}

func TestResizeAndMaintenanceWindow(t *testing.T) {
	client := connect(t)
	cluster := createCluster(t, client, "godo-resize")
	_, err := client.Databases.UpdateMaintenance(background, cluster.ID,
		&godo.DatabaseUpdateMaintenanceRequest{Day: "tuesday", Hour: "14:00"})
	check(t, err)
	response, err := client.Databases.Resize(background, cluster.ID,
		&godo.DatabaseResizeRequest{SizeSlug: "db-s-1vcpu-2gb", NumNodes: 1})
	check(t, err)
	expect(t, "code", response.StatusCode, 202)
	resized := awaitOnline(t, client, cluster.ID)
	expect(t, "size", resized.SizeSlug, "db-s-1vcpu-2gb")
	expect(t, "day", resized.MaintenanceWindow.Day, "tuesday")
	expect(t, "hour", resized.MaintenanceWindow.Hour, "14:00:00")
	expect(t, "connections", query(t, resized.Connection.URI, "SHOW max_connections"), "50")
}

func TestTagsAsTerraformEditsThem(t *testing.T) {
	client := connect(t)
	cluster := createCluster(t, client, "godo-tags")
	_, _, err := client.Tags.Create(background, &godo.TagCreateRequest{Name: "team:blue"})
	check(t, err)
	resources := []godo.Resource{{ID: cluster.ID, Type: godo.DatabaseResourceType}}
	_, err = client.Tags.TagResources(background, "team:blue", &godo.TagResourcesRequest{Resources: resources})
	check(t, err)
	tag, _, err := client.Tags.Get(background, "team:blue")
	check(t, err)
	expect(t, "tagged", tag.Resources.Databases.Count, 1)
	found, _, err := client.Databases.Get(background, cluster.ID)
	check(t, err)
	expect(t, "tags", found.Tags, []string{"env:test", "team:blue"})
	_, err = client.Tags.UntagResources(background, "team:blue", &godo.UntagResourcesRequest{Resources: resources})
	check(t, err)
	_, err = client.Tags.Delete(background, "team:blue")
	check(t, err)
	account, _, err := client.Account.Get(background)
	check(t, err)
	expect(t, "account", account.Status, "active")
}

func TestWhatCannotBeHadIsSaidHonestly(t *testing.T) {
	client := connect(t)
	cluster := createCluster(t, client, "godo-refusals")
	_, _, err := client.Databases.GetSQLMode(background, cluster.ID)
	refused(t, err, 422, "operation is not supported for this cluster type")
	_, _, err = client.Databases.GetEvictionPolicy(background, cluster.ID)
	refused(t, err, 422, "operation is not supported for this cluster type")
	_, _, err = client.Databases.CreateReplica(background, cluster.ID,
		&godo.DatabaseCreateReplicaRequest{Name: "copy", Region: "nyc1", Size: "db-s-1vcpu-1gb"})
	refused(t, err, 422, "")
	_, err = client.Databases.Migrate(background, cluster.ID, &godo.DatabaseMigrateRequest{Region: "ams3"})
	refused(t, err, 422, "")
	_, _, err = client.Databases.ListBackups(background, cluster.ID, nil)
	refused(t, err, 422, "pg_dump")
	replicas, _, err := client.Databases.ListReplicas(background, cluster.ID, nil)
	check(t, err)
	expect(t, "replicas", len(replicas), 0)
	_, _, err = client.Databases.Get(background, "no-such-cluster")
	refused(t, err, 404, "cluster not found")
}
