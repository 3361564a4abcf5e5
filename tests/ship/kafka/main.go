// A Kafka broker in one process, for the tests of shipping: kfake of the franz-go project, which speaks the protocol
// with transactions and keeps what it was given in a folder, so that it can be killed and started again.
//
//	kafka PORT FOLDER TOPIC[:compact]...
//
// It ends when its standard input does.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const partitions = 3

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	port, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(args[1]), kfake.SyncWrites(),
	)
	if err != nil {
		return err
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		return err
	}
	defer client.Close()
	for _, topic := range args[2:] {
		if err := create(client, topic); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// create makes a topic, if a life before this one has not.
func create(client *kgo.Client, topic string) error {
	name, policy, _ := strings.Cut(topic, ":")
	made := kmsg.NewCreateTopicsRequestTopic()
	made.Topic, made.NumPartitions, made.ReplicationFactor = name, partitions, 1
	if policy != "" {
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = "cleanup.policy", kmsg.StringPtr(policy)
		made.Configs = append(made.Configs, config)
	}
	request := kmsg.NewCreateTopicsRequest()
	request.Topics, request.TimeoutMillis = append(request.Topics, made), 5000
	response, err := request.RequestWith(context.Background(), client)
	if err != nil {
		return err
	}
	// Kafka: 36 is TOPIC_ALREADY_EXISTS.
	if code := response.Topics[0].ErrorCode; code != 0 && code != 36 {
		return fmt.Errorf("topic %s: error %d", name, code)
	}
	return nil
}
