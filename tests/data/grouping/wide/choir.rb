# Plans rehearsals (Ruby, nothing else).
require "json"
require "time"
require "logger"

module Choir
  class Absent < StandardError; end
  class Hoarse < StandardError; end

  class Plan
    def initialize(which) = @which = which

    def sing
      %w[alto bass].each { |voice| voice == "bass" && (@which == "sing.func" ? call(voice) : find(voice)) }
    end

    def find(voice)
      raise Hoarse, "#{ENV["NAME"]} (#{voice}) cannot sing on #{ENV["DAY"]}" if @which == "sing.type"
      raise Absent, "#{ENV["NAME"]} (#{voice}) left the choir on #{ENV["DAY"]}" if @which == "sing.msg"

      raise Absent, "#{ENV["NAME"]} (#{voice}) cannot sing on #{ENV["DAY"]}"
    end

    def call(voice)
      raise Absent, "#{ENV["NAME"]} (#{voice}) cannot sing on #{ENV["DAY"]}"
    end

    def score
      @which == "score.cause" ? Time.iso8601(ENV["TEXT"]) : JSON.parse(ENV["TEXT"])
    rescue StandardError
      raise Absent, "score #{ENV["UUID"]} is not there"
    end

    def hall
      case @which
      when "hall" then nil.size
      when "hall.msg" then nil.keys
      when "hall.type" then Integer(ENV["TEXT"])
      when "hall.func" then File.open(ENV["FILE"]) { |file| file.read }
      when "hall.frozen" then ENV["NAME"].freeze << "!"
      else ({ one: 1 }).fetch(ENV["NAME"].to_sym)
      end
    end
  end
end

which = ARGV[0]
plan = Choir::Plan.new(which)
begin
  plan.public_send(which.split(".").first)
rescue StandardError => error
  raise if which.start_with?("sing")

  logger = Logger.new($stdout, formatter: nil)
  error.backtrace_locations
  if which.start_with?("hall")
    logger.formatter = proc { |level, _, _, text| "E, [#{ENV["NOW"]} ##{Process.pid}] #{level} -- : #{text}\n" }
    logger.error(error)
    puts "#{error.class} (#{error.message}):\n\n#{error.backtrace.join("\n")}"
  else
    puts error.full_message(highlight: false, order: :top)
  end
end
