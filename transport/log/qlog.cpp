// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/log/qlog.hpp"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "qpeer/transport/base/file.hpp"
#include "qpeer/transport/log/json_writer.hpp"
#include "qpeer/transport/log/qlog_events.hpp"
#include "qpeer/transport/log/qlog_names.hpp"

namespace qpeer::transport::log {
namespace {

/// RFC 7464 §2.2: stands before each JSON text.
constexpr char kRecordSeparator = '\x1e';
/// So much is kept before it is written.
constexpr std::size_t kBlock = 32 << 10;
/// What is older is written with the next event.
constexpr Duration kLongestKept = 1s;
/// How many files of one name are told apart: a client chooses the name, so there is an end to it.
constexpr unsigned kMaxOfOneName = 100;

/// As RFC 3339 has it, to the millisecond.
std::string date_time(Duration since_1970) {
  using namespace std::chrono;
  const sys_time<Duration> time{since_1970};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{floor<milliseconds>(time - day)};
  std::array<char, 40> text{};
  const int size = std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
      static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
      static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
      static_cast<int>(clock.subseconds().count()));
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string hex(Bytes bytes) {
  std::string out;
  JsonWriter(out).hex(bytes);
  return out.substr(1, out.size() - 2);
}

/// One file. Once something fails, nothing more is written.
class QlogFile final : public Observer {
 public:
  QlogFile(QlogOptions options, std::string name, Descriptor file, const Source& source)
      : options_(std::move(options)), name_(std::move(name)), file_(std::move(file)) {
    write_header(source);
    flushed_at_ = source.created_at;
  }
  ~QlogFile() override { flush(); }
  QlogFile(const QlogFile&) = delete;
  QlogFile& operator=(const QlogFile&) = delete;

  void on_event(const Source& source, Instant now, const Event& event) override {
    if (!file_) return;
    const std::size_t before = buffer_.size();
    buffer_ += kRecordSeparator;
    JsonWriter out(buffer_);
    out.begin_object();
    out.milliseconds("time", now - source.created_at);
    out.text("name", name_of(event));
    if (!events_.write(out, event)) return buffer_.resize(before);
    out.end_object();
    buffer_ += '\n';
    if (options_.max_file_size != 0 && written_ + buffer_.size() > options_.max_file_size) {
      buffer_.resize(before);
      flush();
      file_.reset();
      return;
    }
    const bool last = std::holds_alternative<ConnectionClosed>(event);
    if (buffer_.size() >= kBlock || last || now >= flushed_at_ + kLongestKept) {
      flush();
      flushed_at_ = now;
    }
  }

 private:
  void write_header(const Source& source) {
    buffer_ += kRecordSeparator;
    JsonWriter out(buffer_);
    out.begin_object();
    out.text("file_schema", "urn:ietf:params:qlog:file:sequential");
    out.text("serialization_format", "application/qlog+json-seq");
    out.text("title", "qpeer");
    out.key("trace").begin_object();
    out.key("event_schemas").begin_array();
    out.text("urn:ietf:params:qlog:events:quic-13");
    out.end_array();
    out.key("vantage_point").begin_object();
    out.text("type", name_of(source.side));
    out.end_object();
    out.key("common_fields").begin_object();
    out.hex("group_id", source.original_destination_connection_id.bytes());
    out.text("time_format", "relative_to_epoch");
    out.key("reference_time").begin_object();
    out.text("clock_type", "monotonic");
    out.text("epoch", "unknown");
    if (source.clock_offset != Duration{}) {
      out.text("wall_clock_time",
               date_time(source.created_at.time_since_epoch() + source.clock_offset));
    }
    out.end_object();
    out.end_object();
    out.end_object();
    out.end_object();
    buffer_ += '\n';
  }

  void flush() {
    if (!file_ || buffer_.empty()) return;
    if (!write_all(file_.get(), as_bytes(buffer_))) {
      const int why = errno;
      file_.reset();
      if (options_.on_error) {
        options_.on_error("cannot continue " + name_ + ": " + std::strerror(why));
      }
    }
    written_ += buffer_.size();
    buffer_.clear();
  }

  QlogOptions options_;
  std::string name_;
  Descriptor file_;
  EventWriter events_;
  std::string buffer_;
  Instant flushed_at_;
  std::uint64_t written_ = 0;
};

std::shared_ptr<Observer> open_file(const QlogOptions& options, const Source& source) {
  std::string stem = options.directory;
  if (!stem.ends_with('/')) stem += '/';
  stem += hex(source.original_destination_connection_id.bytes());
  stem += '_';
  stem += name_of(source.side);
  std::string name = stem + ".sqlog";
  for (unsigned number = 2;; ++number) {
    Descriptor file(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file) return std::make_shared<QlogFile>(options, name, std::move(file), source);
    if (errno != EEXIST || number > kMaxOfOneName) break;
    name = stem + "." + std::to_string(number) + ".sqlog";
  }
  if (options.on_error) options.on_error("cannot make " + name + ": " + std::strerror(errno));
  return nullptr;
}

}  // namespace

ObserverFactory qlog_files(QlogOptions options) {
  return
      [options = std::move(options)](const Source& source) { return open_file(options, source); };
}

ObserverFactory qlog_from_environment(std::function<void(const std::string&)> on_error) {
  const char* const directory = std::getenv("QLOGDIR");  // NOLINT(concurrency-mt-unsafe)
  if (directory == nullptr || *directory == '\0') return {};
  return qlog_files({.directory = directory, .on_error = std::move(on_error)});
}

}  // namespace qpeer::transport::log
