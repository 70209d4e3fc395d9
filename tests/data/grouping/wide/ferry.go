// Carries cars (Go, nothing else).
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"sync"
)

type Deck struct {
	mutex sync.Mutex
	cars  map[string]int
	name  string
}

type Full struct{ Deck, Plate string }

func (full *Full) Error() string { return "deck " + full.Deck + " has no room for " + full.Plate }

func (deck *Deck) load(which, plate string) {
	switch which {
	case "load.type":
		panic(deck.cars[plate] / len(deck.cars))
	case "load.msg":
		panic(fmt.Errorf("deck %s is closed to %s", deck.name, plate))
	case "load.cause":
		_, err := os.Open(os.Getenv("FILE"))
		panic(fmt.Errorf("deck %s has no room for %s: %w", deck.name, plate, err))
	}
	panic(&Full{deck.name, plate})
}

func (deck *Deck) board(plate string) { panic(&Full{deck.name, plate}) }

func weigh(which string, axles []int) int {
	index, _ := strconv.Atoi(os.Getenv("AMOUNT"))
	if which == "weigh.type" {
		var deck *Deck
		return len(deck.cars)
	}
	if which == "weigh.msg" {
		var any interface{} = os.Getenv("NAME")
		return any.(int)
	}
	return axles[index]
}

func toll(axles []int) int {
	index, _ := strconv.Atoi(os.Getenv("AMOUNT"))
	return axles[index]
}

func (deck *Deck) lock() {
	deck.mutex.Lock()
	deck.mutex.Lock()
}

func (deck *Deck) listen() { <-make(chan int) }

func manifest(which string) error {
	var cars []Deck
	if which == "manifest.cause" {
		_, err := strconv.ParseInt(os.Getenv("TEXT"), 10, 64)
		return fmt.Errorf("manifest %s: %w", os.Getenv("UUID"), err)
	}
	if which == "manifest.msg" {
		return errors.New("manifest " + os.Getenv("UUID") + " names no captain")
	}
	return fmt.Errorf("manifest %s: %w", os.Getenv("UUID"), json.Unmarshal([]byte("x"+os.Getenv("TEXT")), &cars))
}

func main() {
	log.SetFlags(0)
	which := os.Args[1]
	deck := &Deck{name: os.Getenv("ID")}
	switch which {
	case "load", "load.type", "load.msg", "load.cause":
		func() { deck.load(which, os.Getenv("CODE")) }()
	case "load.func":
		func() { deck.board(os.Getenv("CODE")) }()
	case "weigh", "weigh.type", "weigh.msg":
		weigh(which, []int{1})
	case "weigh.func":
		toll([]int{1})
	case "wait":
		deck.lock()
	case "wait.func":
		deck.listen()
	default:
		log.Fatalf("%s %s ferry: cannot leave pier %s: %v", os.Getenv("NOW"), os.Getenv("HOST"), os.Getenv("AMOUNT"), manifest(which))
	}
}
