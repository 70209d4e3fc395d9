// Lights streets (Go, nothing else).
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"time"
)

type Lamp struct{ watts map[string]int }

type Grid[K comparable] struct{ lamps map[K]*Lamp }

var errDark = errors.New("street is dark")

func (grid *Grid[K]) lit(key K, which string) int {
	switch which {
	case "light.type":
		return len(grid.lamps) / len(grid.lamps[key].watts)
	case "light.msg":
		panic(fmt.Sprintf("lamp %v of %s is broken", key, os.Getenv("TEXT")))
	}
	panic(fmt.Sprintf("lamp %v of %s burns %s W too much", key, os.Getenv("TEXT"), os.Getenv("AMOUNT")))
}

func (grid *Grid[K]) dimmed(key K, which string) int { return grid.lit(key, which) }

func serve(which string) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		meter := []int{1, 2, 3}
		n, _ := strconv.Atoi(os.Getenv("AMOUNT"))
		if which == "serve.msg" {
			_ = meter[n : n+1]
		}
		if which == "serve.type" {
			panic(fmt.Errorf("meter %d: %w", n, errDark))
		}
		_ = meter[n]
	})
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(os.Stdout, "", 0)
	server.Start()
	_, _ = http.Get(server.URL + "/meters/" + os.Getenv("ID"))
	server.Close()
}

func told(which string) {
	log.SetFlags(log.LstdFlags | log.Lshortfile)
	_, err := strconv.Atoi(os.Getenv("TEXT"))
	if which == "tell.cause" {
		ctx, stop := context.WithTimeout(context.Background(), time.Nanosecond)
		defer stop()
		<-ctx.Done()
		err = fmt.Errorf("lamp post %s: %w", os.Getenv("ID"), ctx.Err())
	}
	if which == "tell.msg" {
		log.Printf("reading could not be sent: post=%s err=%q", os.Getenv("ID"), err)
		return
	}
	log.Printf("reading could not be taken: post=%s by=%s err=%q", os.Getenv("ID"), os.Getenv("MAIL"), err)
}

func main() {
	grid := &Grid[int]{lamps: map[int]*Lamp{}}
	id, _ := strconv.Atoi(os.Getenv("ID"))
	grid.lamps[id] = &Lamp{}
	switch which := os.Args[1]; which {
	case "light", "light.type", "light.msg":
		grid.lit(id, which)
	case "light.func":
		grid.dimmed(id, which)
	case "serve", "serve.type", "serve.msg":
		serve(which)
	case "dead":
		lock := make(chan int)
		close(lock)
		close(lock)
	case "dead.msg":
		close((chan int)(nil))
	case "log":
		log.Fatalf("grid %s: %v", os.Getenv("UUID"), errDark)
	case "log.msg":
		log.Fatalf("grid %s: %v", os.Getenv("UUID"), errors.New("no such street"))
	default:
		told(which)
	}
}
